#include "gateway/net/session_clock.h"

#include <openssl/rand.h>

#include <chrono>
#include <cstdlib>

#include "base/log.h"

namespace medidesk::gateway::net {

wa::Moment SystemMoment() {
  return {.steady = std::chrono::steady_clock::now(), .wall = std::chrono::system_clock::now()};
}

wa::Entropy SystemEntropy() {
  return [](std::span<std::uint8_t> bytes) {
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1) return;
    log::Error("whatsapp.no_randomness");
    std::abort();
  };
}

}  // namespace medidesk::gateway::net
