// What a test may change about the simulated server as a whole. Times in milliseconds where nothing else is said.
#pragma once

#include <cstdint>

namespace medidesk::whatsapp_sim {

struct Settings {
  std::int64_t first_ref_ms = 60'000;  // how long the first QR holds
  std::int64_t next_ref_ms = 20'000;   // and each of the others; after the last the connection is closed
  std::int64_t refs = 6;               // QRs a connection is given
  std::int64_t close_delay_ms = 100;   // between a last stanza (failure, stream:error, restart) and the close
  std::int64_t server_ping_ms = 0;     // between the server's own pings; 0: none
  std::int64_t clock_offset_s = 0;     // added to every server time, in seconds
  std::int64_t oldest_version = 0;     // a smaller third number of the app version meets failure 405
  std::int64_t pre_keys_low = 10;      // a device left with fewer is told so
  bool reveal_addresses = true;        // messages and tokens name the other address of who they are from
  bool record_stanzas = true;          // off for load tests
};

}  // namespace medidesk::whatsapp_sim
