// A unary call that stays in this process: client.h makes one, serve.h answers it, and the service's
// own override in between cannot tell it from a call over gRPC.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>

#include "base/rpc/call.h"
#include "base/rpc/dispatcher.h"
#include "base/status.h"

namespace medidesk::rpc {

// Stands where gRPC's own context stands. Owned, with request and response, by one shared object.
class LocalContext final : public grpc::CallbackServerContext {
 public:
  Call call;
  // Called once, from any thread. With OK the response has been filled in; with an error the
  // handler may still be running and owns request and response until it ends.
  std::function<void(absl::Status)> done;
  std::weak_ptr<void> self;            // what owns this context
  std::weak_ptr<RunningCall> running;  // set before ServeUnary returns, when a handler took the call
  bool answered = false;               // likewise; false: the service has no such method

  static LocalContext* From(grpc::CallbackServerContext* context) { return dynamic_cast<LocalContext*>(context); }

  void Finish(absl::Status status) {
    if (auto done_once = std::exchange(done, nullptr)) done_once(std::move(status));
  }
};

}  // namespace medidesk::rpc
