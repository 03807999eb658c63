#include "tests/sim/whatsapp/control.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "tests/sim/whatsapp/delivery.h"
#include "tests/sim/whatsapp/json_fields.h"
#include "tests/sim/whatsapp/node_json.h"
#include "tests/sim/whatsapp/pairing.h"
#include "tests/sim/whatsapp/queries.h"
#include "tests/sim/whatsapp/session.h"

namespace medidesk::whatsapp_sim {

namespace json = boost::json;
namespace wa = gateway::wa;

namespace {

using Answer = absl::StatusOr<json::object>;

constexpr std::int64_t kMaxMs = 86'400'000, kMaxNumber = 1'000'000'000'000;
constexpr std::array<std::string_view, 5> kSpoiledHellos = {"truncated", "short_static", "short_ephemeral",
                                                            "bad_payload", "garbage"};

absl::Status Bad(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }
absl::Status NotFound(std::string_view text) { return Error(absl::StatusCode::kNotFound, text); }
json::string Str(std::string_view text) { return json::string(text.data(), text.size()); }

// A parameter of the target's query as a number; 0 when it is absent.
std::uint64_t Query(std::string_view target, std::string_view name) {
  std::size_t at = target.find('?');
  while (at != std::string_view::npos) {
    const std::string_view rest = target.substr(at + 1);
    if (rest.starts_with(name) && rest.substr(name.size()).starts_with("=")) {
      std::uint64_t number = 0;
      const std::string_view text = rest.substr(name.size() + 1);
      std::from_chars(text.data(), text.data() + text.size(), number);
      return number;
    }
    at = target.find('&', at + 1);
  }
  return 0;
}

// ---- What is there. -----------------------------------------------------------------------------

json::object PhoneJson(const Account& account) {
  const Phone::Options& phone = account.phone.options();
  json::array devices;
  for (const auto& [number, device] : account.devices) {
    devices.push_back(json::object{{"device", number},
                                   {"name", Str(device.name)},
                                   {"platform_type", device.platform_type},
                                   {"jid", Str(device.jid.ToString())},
                                   {"lid", Str(device.lid.ToString())},
                                   {"key_index", device.key_index},
                                   {"connected", device.session != nullptr},
                                   {"active", device.active},
                                   {"pre_keys", device.pre_keys.size()},
                                   {"pending", device.pending.size()}});
  }
  return {{"phone", Str(phone.number)},
          {"lid", Str(phone.lid)},
          {"jid", Str(account.jid().ToString())},
          {"name", Str(phone.name)},
          {"identity", Str(Hex(account.phone.identity().public_key))},
          {"devices", std::move(devices)}};
}

Answer ListPhones(World& world) {
  json::array phones;
  for (const auto& [number, account] : world.accounts()) phones.push_back(PhoneJson(*account));
  return json::object{{"phones", std::move(phones)}};
}

Answer ListLogins(World& world, std::string_view target) {
  const std::uint64_t after = Query(target, "after");
  json::array events;
  for (const LoginEvent& event : world.log.logins()) {
    if (event.seq <= after) continue;
    events.push_back(json::object{{"seq", event.seq},
                                  {"time_us", event.time_us},
                                  {"event", Str(event.event)},
                                  {"connection", event.connection},
                                  {"phone", Str(event.phone)},
                                  {"device", event.device},
                                  {"detail", Str(event.detail)}});
  }
  return json::object{{"events", std::move(events)}};
}

Answer ListStanzas(World& world, std::string_view target) {
  const std::uint64_t after = Query(target, "after"), connection = Query(target, "connection");
  json::array stanzas;
  for (const StanzaRecord& record : world.log.stanzas()) {
    if (record.seq <= after || (connection != 0 && record.connection != connection)) continue;
    stanzas.push_back(json::object{{"seq", record.seq},
                                   {"time_us", record.time_us},
                                   {"connection", record.connection},
                                   {"phone", Str(record.phone)},
                                   {"device", record.device},
                                   {"from_client", record.from_client},
                                   {"node", NodeToJson(*record.node)}});
  }
  return json::object{{"stanzas", std::move(stanzas)}};
}

Answer ListConnections(World& world) {
  json::array connections;
  for (const auto& [id, session] : world.sessions()) {
    json::object connection{{"connection", id},
                            {"phone", Str(session->phone())},
                            {"device", session->device_number()},
                            {"state", Str(session->state())},
                            {"target", Str(session->target())},
                            {"version", Str(session->version())},
                            {"stanzas_in", session->stanzas_in()},
                            {"pongs", session->pongs()},
                            {"routing_info", Str(Hex(session->routing_info()))}};
    if (const Pairing* pairing = session->pairing()) {
      connection["code_wanted_by"] = Str(pairing->code_wanted_by());
      connection["device_name"] = Str(pairing->device_name());
      connection["platform_type"] = pairing->platform_type();
      connection["passkey_code"] = Str(pairing->passkey_code());
      connection["passkey_options"] = Str(pairing->passkey_options());
    }
    connections.push_back(std::move(connection));
  }
  return json::object{{"connections", std::move(connections)}};
}

// ---- Phones. ------------------------------------------------------------------------------------

Answer AddPhone(World& world, const json::value& body) {
  JsonFields fields(body);
  World::PhoneOptions options;
  fields.Read("phone", options.phone.number);
  fields.Read("lid", options.phone.lid);
  fields.Read("name", options.phone.name);
  fields.Read("business_name", options.phone.business_name);
  fields.Read("platform", options.phone.platform);
  fields.Read("passkey", options.passkey);
  MD_RETURN_IF_ERROR(fields.Finish());
  MD_ASSIGN_OR_RETURN(const Account* account, world.AddAccount(std::move(options)));
  return PhoneJson(*account);
}

Answer Scan(World& world, const json::value& body) {
  JsonFields fields(body);
  std::string phone, qr;
  fields.Read("phone", phone);
  fields.Read("qr", qr);
  MD_RETURN_IF_ERROR(fields.Finish());
  MD_RETURN_IF_ERROR(world.Scan(phone, qr));
  return json::object();
}

Answer EnterCode(World& world, const json::value& body) {
  JsonFields fields(body);
  std::string phone, code;
  fields.Read("phone", phone);
  fields.Read("code", code);
  MD_RETURN_IF_ERROR(fields.Finish());
  MD_RETURN_IF_ERROR(world.EnterCode(phone, code));
  return json::object();
}

Answer UsePasskey(World& world, const json::value& body) {
  JsonFields fields(body);
  std::string phone, options;
  fields.Read("phone", phone);
  fields.Read("options", options);
  MD_RETURN_IF_ERROR(fields.Finish());
  const Account* account = world.FindAccount(phone);
  if (account == nullptr || !account->passkey) return NotFound("no such phone with a passkey");
  if (options.empty()) {
    for (const auto& [id, session] : world.sessions()) {
      const Pairing* pairing = session->pairing();
      if (pairing != nullptr && pairing->account_number() == phone) options = pairing->passkey_options();
    }
    if (options.empty()) return NotFound("nobody waits for this passkey");
  }
  MD_ASSIGN_OR_RETURN(const std::string assertion, account->passkey->Assert(options));
  return json::object{{"options", Str(options)}, {"assertion", Str(assertion)}};
}

// ---- Devices. -----------------------------------------------------------------------------------

// Reads phone and device; NOT_FOUND when there is none.
absl::StatusOr<Device*> ReadDevice(World& world, JsonFields& fields, std::string* phone = nullptr) {
  std::string number;
  std::int64_t device_number = 0;
  fields.Read("phone", number);
  fields.Read("device", device_number, 1, 99);
  MD_RETURN_IF_ERROR(fields.Finish());
  Account* account = world.FindAccount(number);
  Device* device = account == nullptr ? nullptr : account->Find(static_cast<int>(device_number));
  if (device == nullptr) return NotFound("no such device");
  if (phone != nullptr) *phone = number;
  return device;
}

Answer Unlink(World& world, const json::value& body) {
  JsonFields fields(body);
  std::string phone;
  MD_ASSIGN_OR_RETURN(const Device* device, ReadDevice(world, fields, &phone));
  MD_RETURN_IF_ERROR(world.Unlink(phone, device->number));
  return json::object();
}

Answer SendNode(World& world, const json::value& body) {
  JsonFields fields(body);
  const json::value* value = fields.Find("node");
  MD_ASSIGN_OR_RETURN(Device * device, ReadDevice(world, fields));
  if (value == nullptr) return Bad("node: missing");
  MD_ASSIGN_OR_RETURN(wa::Node node, NodeFromJson(*value));
  Deliver(*device, std::move(node));
  return json::object();
}

Answer ChooseNextDevice(World& world, const json::value& body) {
  JsonFields fields(body);
  std::string phone;
  std::int64_t device = 0;
  fields.Read("phone", phone);
  fields.Read("device", device, 1, 99);
  MD_RETURN_IF_ERROR(fields.Finish());
  Account* account = world.FindAccount(phone);
  if (account == nullptr || device == 0) return NotFound("no such phone, or no device named");
  account->last_number = static_cast<int>(device) - 1;
  return json::object();
}

Answer TakePreKeys(World& world, const json::value& body) {
  JsonFields fields(body);
  std::int64_t left = 0;
  fields.Read("left", left, 0, 100'000);
  MD_ASSIGN_OR_RETURN(Device * device, ReadDevice(world, fields));
  while (static_cast<std::int64_t>(device->pre_keys.size()) > left) device->pre_keys.pop_front();
  device->told_low = true;
  TellPreKeysLow(world, *device);
  return json::object{{"left", device->pre_keys.size()}};
}

// ---- Faults and settings. -----------------------------------------------------------------------

absl::Status CheckHow(const Fault& fault) {
  const auto known = [&](std::span<const std::string_view> names) -> absl::Status {
    if (std::find(names.begin(), names.end(), fault.how) != names.end()) return absl::OkStatus();
    return Bad(fmt::format("how: expected one of {}", fmt::join(names, ", ")));
  };
  if (fault.kind == Fault::Kind::kChain) return known(ChainForgeryNames());
  if (fault.kind == Fault::Kind::kAdv) return known(AdvForgeryNames());
  if (fault.kind == Fault::Kind::kServerHello) return known(kSpoiledHellos);
  return absl::OkStatus();
}

absl::Status CheckCode(const Fault& fault) {
  const bool http = fault.kind == Fault::Kind::kHttp;
  if (http && (fault.code < 200 || fault.code > 599)) return Bad("code: expected an HTTP status from 200 to 599");
  const bool needed = fault.kind == Fault::Kind::kFailure || fault.kind == Fault::Kind::kIqError ||
                      fault.kind == Fault::Kind::kAckError;
  if (needed && fault.code == 0) return Bad("code: missing");
  return absl::OkStatus();
}

absl::StatusOr<Fault> ParseFault(const json::value& body) {
  JsonFields fields(body);
  Fault fault;
  std::string kind, at, hex;
  fields.Read("kind", kind);
  fields.Read("at", at);
  fields.Read("times", fault.times, 1, 1'000'000);
  fields.Read("phone", fault.phone);
  fields.Read("device", fault.device, 0, 99);
  fields.Read("target", fault.target);
  fields.Read("code", fault.code, 0, 100'000);
  fields.Read("ms", fault.ms, 0, kMaxMs);
  fields.Read("how", fault.how);
  fields.Read("xmlns", fault.xmlns);
  fields.Read("child", fault.child);
  fields.Read("hex", hex);
  if (const json::value* attributes = fields.Find("attributes")) {
    const json::object* object = attributes->if_object();
    if (object == nullptr) return Bad("attributes: expected an object of strings");
    for (const auto& [key, value] : *object) {
      if (!value.is_string()) return Bad("attributes: expected an object of strings");
      fault.attributes.emplace_back(std::string_view(key.data(), key.size()),
                                    std::string_view(value.get_string().data(), value.get_string().size()));
    }
  }
  MD_RETURN_IF_ERROR(fields.Finish());
  const auto known = FaultKindFrom(kind);
  if (!known) return Bad("kind: not a fault; see fault.h");
  fault.kind = *known;
  fault.at = UsualTime(*known);
  if (!at.empty()) {
    const auto time = FaultTimeFrom(at);
    if (!time) return Bad("at: not a moment; see fault.h");
    fault.at = *time;
  }
  auto bytes = FromHex(hex);
  if (!bytes) return Bad("hex: not hexadecimal");
  fault.bytes = *std::move(bytes);
  MD_RETURN_IF_ERROR(CheckHow(fault));
  MD_RETURN_IF_ERROR(CheckCode(fault));
  return fault;
}

Answer OrderFault(World& world, const json::value& body) {
  MD_ASSIGN_OR_RETURN(Fault fault, ParseFault(body));
  MD_ASSIGN_OR_RETURN(const int met, world.Order(std::move(fault)));
  return json::object{{"met", met}};
}

Answer ChangeSettings(World& world, const json::value& body) {
  Settings changed = world.settings;
  JsonFields fields(body);
  fields.Read("first_ref_ms", changed.first_ref_ms, 1, kMaxMs);
  fields.Read("next_ref_ms", changed.next_ref_ms, 1, kMaxMs);
  fields.Read("refs", changed.refs, 1, 20);
  fields.Read("close_delay_ms", changed.close_delay_ms, 0, kMaxMs);
  fields.Read("server_ping_ms", changed.server_ping_ms, 0, kMaxMs);
  fields.Read("clock_offset_s", changed.clock_offset_s, -kMaxNumber, kMaxNumber);
  fields.Read("oldest_version", changed.oldest_version, 0, kMaxNumber);
  fields.Read("pre_keys_low", changed.pre_keys_low, 0, 100'000);
  fields.Read("reveal_addresses", changed.reveal_addresses);
  fields.Read("record_stanzas", changed.record_stanzas);
  MD_RETURN_IF_ERROR(fields.Finish());
  world.settings = changed;
  return json::object{{"first_ref_ms", changed.first_ref_ms},
                      {"next_ref_ms", changed.next_ref_ms},
                      {"refs", changed.refs},
                      {"close_delay_ms", changed.close_delay_ms},
                      {"server_ping_ms", changed.server_ping_ms},
                      {"clock_offset_s", changed.clock_offset_s},
                      {"oldest_version", changed.oldest_version},
                      {"pre_keys_low", changed.pre_keys_low},
                      {"reveal_addresses", changed.reveal_addresses},
                      {"record_stanzas", changed.record_stanzas}};
}

Answer Dispatch(World& world, std::string_view method, std::string_view target, std::string_view body) {
  const std::string_view path = target.substr(0, target.find('?'));
  if (method == "GET") {
    if (path == "/phones") return ListPhones(world);
    if (path == "/logins") return ListLogins(world, target);
    if (path == "/stanzas") return ListStanzas(world, target);
    if (path == "/connections") return ListConnections(world);
    return NotFound("there is no such path; see control.h");
  }
  if (method != "POST") return Bad("expected GET or POST");
  MD_ASSIGN_OR_RETURN(const json::value value, ParseJson(body));
  if (path == "/phones") return AddPhone(world, value);
  if (path == "/scan") return Scan(world, value);
  if (path == "/code") return EnterCode(world, value);
  if (path == "/passkey") return UsePasskey(world, value);
  if (path == "/unlink") return Unlink(world, value);
  if (path == "/send") return SendNode(world, value);
  if (path == "/pre-keys") return TakePreKeys(world, value);
  if (path == "/next-device") return ChooseNextDevice(world, value);
  if (path == "/fault") return OrderFault(world, value);
  if (path == "/settings") return ChangeSettings(world, value);
  if (path == "/reset") {
    world.Reset();
    return json::object();
  }
  return NotFound("there is no such path; see control.h");
}

int HttpStatus(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 503;
    default:
      return 400;
  }
}

}  // namespace

ControlAnswer Control(World& world, std::string_view method, std::string_view target, std::string_view body) {
  const Answer answer = Dispatch(world, method, target, body);
  if (answer.ok()) return {.status = 200, .body = json::serialize(*answer)};
  return {.status = HttpStatus(answer.status()),
          .body = json::serialize(json::object{{"error", Str(Text(answer.status()))}})};
}

}  // namespace medidesk::whatsapp_sim
