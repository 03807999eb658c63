// A TCP or TLS connection of a check: blocking, every step bounded by one deadline.
//
// Errors: UNAVAILABLE or DEADLINE_EXCEEDED; the text says which step failed ("the name is unknown"), never
// what a peer sent. Not thread-safe.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace medidesk::cli {

// Of wss://host[:port]/path and its like.
struct Endpoint {
  bool tls = true;
  std::string host, port, target;  // host without brackets; target starts with /
};

// INVALID_ARGUMENT for anything but http, https, ws and wss, and for user info in it.
absl::StatusOr<Endpoint> ParseEndpoint(std::string_view url);

class NetStream {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  // The certificate is checked against the system's CAs and the host's name.
  static absl::StatusOr<std::unique_ptr<NetStream>> Connect(const Endpoint& endpoint, Deadline deadline);
  ~NetStream();

  absl::Status Write(std::string_view bytes);
  // Empty at the end.
  absl::StatusOr<std::string> ReadSome();

 private:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  NetStream(int fd, Deadline deadline) : fd_(fd), deadline_(deadline) {}
  absl::Status StartTls(const std::string& host);
  absl::Status Wait(short events);
  absl::Status WaitForTls(int result);

  const int fd_;
  const Deadline deadline_;
  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
};

}  // namespace medidesk::cli
