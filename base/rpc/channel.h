// Where a service is reached: over the network, or in this process.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/impl/service_type.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/rpc/tls.h"
#include "base/status.h"

namespace medidesk::rpc {

// The services of a server in this process. Their owner outlives the clients' calls.
struct LocalServices {
  explicit LocalServices(std::vector<grpc::Service*> services) : all(std::move(services)) {}

  template <class CallbackService>
  CallbackService* Find() const {
    for (grpc::Service* service : all) {
      if (auto* found = dynamic_cast<CallbackService*>(service)) return found;
    }
    return nullptr;
  }

  const std::vector<grpc::Service*> all;
  std::atomic<bool> open{true};  // false: the server is stopping
};

// Copyable; made by Connect() or Server::InProcessChannel().
struct Channel {
  std::shared_ptr<grpc::Channel> remote;
  // Where set, unary calls go straight to the service: see docs of client.h.
  std::shared_ptr<const LocalServices> local = nullptr;
};

struct ChannelOptions {
  TlsFiles tls = {};
  bool allow_plaintext = false;             // without TLS also to addresses that are not local
  int max_message_bytes = 4 * 1024 * 1024;  // of one response
};

// A channel to "host:port" (all addresses of the name, in turn) or "unix:/path". It connects at the
// first call, by itself again after a loss (back-off at most 2 s), and never blocks; calls fail with
// UNAVAILABLE meanwhile. Unix sockets go without TLS. INVALID_ARGUMENT when the address is not local
// and there are no TLS files, or the files are wrong.
absl::StatusOr<Channel> Connect(const std::string& address, const ChannelOptions& options = {});

// Keeps gRPC's callback threads until the process ends. Otherwise the last channel stops them, and when
// its last owner was a callback one of them would wait for itself: gRPC 1.51 then frees its queue twice.
void KeepCallbackThreads();

}  // namespace medidesk::rpc
