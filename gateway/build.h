// The gateway put together. Used by main.cc and by the all-in-one program.
//
// It has no number to serve yet: linking is a later step, and every method answers UNIMPLEMENTED.
#pragma once

#include <grpcpp/impl/service_type.h>
#include <prometheus/registry.h>

#include <vector>

#include "base/rpc/call_guard.h"
#include "base/rpc/channel.h"
#include "base/rpc/dispatcher.h"
#include "medidesk/gateway/v1/gateway.grpc.pb.h"

namespace medidesk::gateway {

class Gateway {
 public:
  // The store behind `store` checks callers' tokens.
  Gateway(rpc::Dispatcher::Executor executor, prometheus::Registry& registry, const rpc::Channel& store)
      : dispatcher_(executor, registry, {.service = "gateway"}),
        tokens_(rpc::TokenCheck::AskStore(store)),
        guard_(&tokens_, {}) {
    dispatcher_.SetGuard(&guard_);
  }

  rpc::Dispatcher& dispatcher() { return dispatcher_; }
  std::vector<grpc::Service*> services() { return {&service_}; }
  // Before the server starts: see CallGuard.
  void TrustNetwork(bool trust) { guard_.TrustNetwork(trust); }

 private:
  rpc::Dispatcher dispatcher_;
  rpc::TokenCheck tokens_;
  rpc::CallGuard guard_;
  v1::GatewayService::CallbackService service_;
};

}  // namespace medidesk::gateway
