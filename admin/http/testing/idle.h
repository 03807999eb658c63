// Whether a server has come to rest: a client may hold the last byte of an answer a moment before the server
// counts its request as done.
#pragma once

#include <chrono>
#include <thread>

#include "admin/http/server.h"

namespace medidesk::http {

// True when no request is being handled, false when that is not so after ten seconds.
inline bool ComesToRest(const Server& server) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (server.in_flight() != 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  return server.in_flight() == 0;
}

}  // namespace medidesk::http
