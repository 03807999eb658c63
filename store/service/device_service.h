// medidesk.store.v1.DeviceService over the repositories: checks requests, watches numbers.
// Thread-safe; must outlive its server.
#pragma once

#include <chrono>

#include "base/rpc/serve.h"
#include "medidesk/store/v1/device.grpc.pb.h"
#include "store/device_batch.h"
#include "store/device_repository.h"

namespace medidesk::store {

class DeviceService final : public v1::DeviceService::CallbackService {
 public:
  struct Options {
    std::chrono::milliseconds watch_poll{500};   // how often the numbers are looked at, for all watchers together
    std::chrono::milliseconds flow_pause{2000};  // between two messages that tell of nothing but message flow
  };
  DeviceService(rpc::Dispatcher& dispatcher, DeviceRepository& repository, DeviceBatch& batch, Options options)
      : dispatcher_(dispatcher), repository_(repository), batch_(batch), options_(options) {}

// A handler free of gRPC, for tests, and its override. (Overrides stand in the .cc: a file that makes a service
// would else compile them all.)
#define MD_HANDLER(Name)                                                                                             \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> Name(const rpc::Call& call, const v1::Name##Request& request); \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const v1::Name##Request* request,             \
                                 v1::Name##Response* response) override;
  MD_HANDLER(Heartbeat)
  MD_HANDLER(AcquireNumbers)
  MD_HANDLER(TakeLease)
  MD_HANDLER(ReleaseLease)
  MD_HANDLER(ListNumbers)
  MD_HANDLER(GetNumber)
  MD_HANDLER(UpsertNumber)
  MD_HANDLER(LoadDeviceState)
  MD_HANDLER(CommitBatch)
#undef MD_HANDLER

  asio::awaitable<absl::Status> WatchNumbers(const rpc::Call& call, const v1::WatchNumbersRequest& request,
                                             rpc::StreamWriter<v1::WatchNumbersResponse>& writer);
  grpc::ServerWriteReactor<v1::WatchNumbersResponse>* WatchNumbers(grpc::CallbackServerContext* context,
                                                                   const v1::WatchNumbersRequest* request) override;

 private:
  rpc::Dispatcher& dispatcher_;
  DeviceRepository& repository_;
  DeviceBatch& batch_;
  const Options options_;
};

}  // namespace medidesk::store
