// An HTTP/1.1 server: accepts, reads requests, calls the router's handlers, writes answers.
//
// Bounded everywhere: connections (beyond `max_connections` the longest idle one is closed, else
// accepting pauses and the kernel's queue fills), requests being handled (beyond `max_in_flight`
// 503 with retry-after at once), bytes of bodies, head and body of a request, time to send a
// request, to take an answer, to stay idle. Times are checked by one sweep, so a limit is kept to
// within a quarter of the shortest one; no timer is set per request.
//
// Thread-safe. Each connection is a coroutine on a strand of its own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "admin/http/request_reader.h"
#include "admin/http/router.h"
#include "base/status.h"

namespace medidesk::http {

class Server {
 public:
  // One answered request. `route` is the pattern it matched, "other" when none did.
  struct Answered {
    std::string_view route;
    int status;
    std::chrono::steady_clock::duration duration;  // from the whole request to the ready answer
    bool overload;                                 // refused because max_in_flight was reached
  };
  struct Options {
    std::string address = "127.0.0.1";        // IPv4 or IPv6 literal; "localhost" is 127.0.0.1
    std::uint16_t port = 0;                   // 0: any free one
    std::string tls_cert = {}, tls_key = {};  // PEM files; both or none
    RequestReader::Limits limits = {};
    int max_connections = 1024;
    int max_in_flight = 512;                // requests
    std::int64_t body_budget = 64LL << 20;  // bytes of request bodies in memory, all connections
    std::chrono::milliseconds idle_timeout{60'000};
    std::chrono::milliseconds read_timeout{20'000};  // from the first byte of a request to its last
    std::chrono::milliseconds write_timeout{30'000};
    std::chrono::milliseconds handshake_timeout{10'000};
    std::chrono::milliseconds linger_timeout{5'000};  // to read what the client still sends after a refusal
    // Sees every answer before it is written, the server's own (413, 503, 404, ...) too; the
    // request is what was understood of it. For headers that belong on all of them.
    std::function<void(const Request&, Response&)> on_response = {};
    std::function<void(const Answered&)> on_answered = {};
  };

  // Binds and starts to accept. INVALID_ARGUMENT for an address or TLS file that cannot be used,
  // UNAVAILABLE when the port is taken; the text is one line that says what to change.
  static absl::StatusOr<std::unique_ptr<Server>> Listen(boost::asio::io_context::executor_type executor,
                                                        Options options, Router router);
  // Closes the listening socket and every connection. Before the event loop goes away.
  ~Server();

  std::uint16_t port() const;
  int connections() const;
  int in_flight() const;

  // Still accepts for 0.3 s (at most a quarter of `grace`): a balancer has sent to us until just now. Then stops
  // accepting, closes idle connections, lets running requests finish (their answers say
  // `connection: close`) for at most `grace`, then closes what is left. A handler that still runs
  // then goes on without a connection: keep what it uses until the event loop has stopped.
  boost::asio::awaitable<void> Stop(std::chrono::milliseconds grace);

  struct Core;

 private:
  explicit Server(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

// True for an address that only this machine reaches: 127.0.0.0/8, ::1, "localhost".
bool IsLoopbackAddress(std::string_view address);

}  // namespace medidesk::http
