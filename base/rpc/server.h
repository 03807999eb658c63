// The gRPC server of one service process: addresses, TLS, limits, health, reflection and the drain.
//
//   MD_ASSIGN_OR_RETURN(auto server, rpc::Server::Start(dispatcher, {&conversations, &knowledge}, options));
//   io.RunUntilSignal(8s, [&] { return server->Drain(5s); });
#pragma once

#include <boost/asio/awaitable.hpp>
#include <grpcpp/server.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/rpc/channel.h"
#include "base/rpc/dispatcher.h"
#include "base/rpc/tls.h"
#include "base/status.h"

namespace medidesk::rpc {

struct ServerOptions {
  // "host:port" (port 0: any free one) or "unix:/path". None: reachable in this process only.
  std::vector<std::string> addresses = {};
  TlsFiles tls = {};                        // for addresses that are not unix sockets
  bool require_client_certificate = true;   // with TLS; false admits callers that bring a token instead
  bool allow_plaintext = false;             // without TLS also on addresses that are not local
  int max_message_bytes = 4 * 1024 * 1024;  // of one request
  int max_concurrent_streams = 1024;        // calls of one connection
  std::size_t memory_bytes = 256u << 20;    // of gRPC's buffers in all
};

// Thread-safe. The dispatcher, its event loop and the services outlive it.
class Server {
 public:
  // Listens and serves when it returns. INVALID_ARGUMENT for an address that wants TLS and has none or
  // wrong files; UNAVAILABLE when an address cannot be taken. Every service begins as SERVING.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Dispatcher& dispatcher, std::vector<grpc::Service*> services,
                                                       ServerOptions options);
  ~Server();  // Shutdown(0)

  // The port of the address at `index`; 0 for a unix socket.
  int port(std::size_t index = 0) const { return ports_.at(index); }

  // What grpc.health.v1 answers for a full service name, or for "" the whole server.
  void SetServing(const std::string& service, bool serving);

  // For clients in this process.
  Channel InProcessChannel();

  // Says NOT_SERVING and, when it listens, still takes calls for 0.3 s (at most a quarter of `grace`), so that callers
  // go elsewhere first. Then takes no new calls, ends endless streams, waits until `grace` is over for the calls that
  // run, cancels them and waits for their end. Blocks: not from the event loop. Idempotent.
  void Shutdown(std::chrono::milliseconds grace);
  // The same for a coroutine.
  asio::awaitable<void> Drain(std::chrono::milliseconds grace);

 private:
  Server(Dispatcher& dispatcher, std::vector<grpc::Service*> services);

  Dispatcher& dispatcher_;
  const std::shared_ptr<LocalServices> local_;
  std::vector<int> ports_;
  std::unique_ptr<grpc::Server> server_;
  std::mutex shutdown_mutex_;
  bool stopped_ = false;      // under shutdown_mutex_
  std::thread drain_thread_;  // under shutdown_mutex_
};

}  // namespace medidesk::rpc
