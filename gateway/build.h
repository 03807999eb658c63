// The gateway put together. Used by main.cc and by the all-in-one program.
//
// It has no number to serve yet: linking is a later step, and every method answers UNIMPLEMENTED.
#pragma once

#include <grpcpp/impl/service_type.h>
#include <prometheus/registry.h>

#include <vector>

#include "base/rpc/dispatcher.h"
#include "medidesk/gateway/v1/gateway.grpc.pb.h"

namespace medidesk::gateway {

class Gateway {
 public:
  Gateway(rpc::Dispatcher::Executor executor, prometheus::Registry& registry)
      : dispatcher_(executor, registry, {.service = "gateway"}) {}

  rpc::Dispatcher& dispatcher() { return dispatcher_; }
  std::vector<grpc::Service*> services() { return {&service_}; }

 private:
  rpc::Dispatcher dispatcher_;
  v1::GatewayService::CallbackService service_;
};

}  // namespace medidesk::gateway
