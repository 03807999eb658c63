// What a test tells the simulator and asks of it, as JSON over HTTP or in-process. Every answer is an object; a
// mistake is answered with {"error":".."}: 400 for what is malformed (an unknown field too), 404 for what does not
// exist, 409 for what does not fit the moment.
//
//   POST /phones    {"phone":"15550001111","lid":"100..","name":"..","business_name":"..","platform":"android",
//                    "passkey":false}, all optional      -> the phone, as GET /phones shows it
//   GET  /phones                                         ->
//   {"phones":[{"phone","lid","jid","name","identity","devices":
//                    [{"device","name","jid","lid","key_index","connected","active","pre_keys","pending"}]}]}
//   POST /scan      {"phone","qr"}                       the phone scans this text
//   POST /code      {"phone","code"}                     the person types this code
//   POST /passkey   {"phone"}                            -> {"options","assertion"}: what the operator's browser would
//                    answer with the account's passkey; {"phone","options"} answers those
//   POST /unlink    {"phone","device"}                   the phone removes the device
//   POST /send      {"phone","device","node":{..}}       a stanza of any kind to the device; one that devices confirm
//   is
//                    kept until then, and needs an id
//   POST /pre-keys  {"phone","device","left":3}          takes one-time pre-keys out of the stock and tells the device
//   POST /next-device  {"phone","device"}               the next link takes this number: a device installed again
//   POST /fault     see fault.h                          -> {"met":n}: connections that a fault of now has met
//   POST /settings  any of settings.h, by name           -> all of them
//   POST /reset                                          ends connections, forgets faults and logs; phones stay
//   GET  /logins?after=N                                 -> {"events":[{"seq","time_us","event","connection","phone",
//                    "device","detail"}]}: see event_log.h
//   GET  /stanzas?after=N&connection=C                   -> {"stanzas":[{"seq","time_us","connection","phone","device",
//                    "from_client","node":{..}}]}
//   GET  /connections                                    -> {"connections":[{"connection","phone","device","state",
//                    "target","version","stanzas_in","pongs","routing_info","code_wanted_by","device_name",
//                    "platform_type","passkey_code","passkey_options"}]}
//   GET  /                                               -> {"ws_url","control_url","root_key"}
//
// Nodes are as in node_json.h.
#pragma once

#include <string>
#include <string_view>

#include "tests/sim/whatsapp/world.h"

namespace medidesk::whatsapp_sim {

struct ControlAnswer {
  int status = 200;
  std::string body = "{}";
};

// `target` may have a query. On the simulator's thread.
ControlAnswer Control(World& world, std::string_view method, std::string_view target, std::string_view body);

}  // namespace medidesk::whatsapp_sim
