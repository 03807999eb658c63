// medidesk.gateway.v1.GatewayService: numbers as the store has them, linking and unlinking by the fleet.
//
// Thread-safe; outlives its server.
#pragma once

#include <memory>

#include "base/rpc/client.h"
#include "base/rpc/serve.h"
#include "gateway/service/number_fleet.h"
#include "gateway/service/send_message.h"
#include "medidesk/gateway/v1/gateway.grpc.pb.h"

namespace medidesk::gateway {

namespace asio = boost::asio;

class GatewayService final : public v1::GatewayService::CallbackService {
 public:
  // `fleet` may be null: nothing can be linked here, for the reason that `no_fleet` gives.
  GatewayService(rpc::Dispatcher& dispatcher, const rpc::Channel& store, std::shared_ptr<NumberFleet> fleet,
                 absl::Status no_fleet)
      : dispatcher_(dispatcher),
        store_(store),
        send_(store),
        fleet_(std::move(fleet)),
        no_fleet_(std::move(no_fleet)) {}

#define MD_HANDLER(Name)                                                                                             \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> Name(const rpc::Call& call, const v1::Name##Request& request); \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const v1::Name##Request* request,             \
                                 v1::Name##Response* response) override;
  MD_HANDLER(SubmitPasskey)
  MD_HANDLER(ConfirmPasskeyCode)
  MD_HANDLER(UnlinkNumber)
  MD_HANDLER(ListNumbers)
  MD_HANDLER(GetNumber)
  MD_HANDLER(SendMessage)
#undef MD_HANDLER

  asio::awaitable<absl::Status> LinkNumber(const rpc::Call& call, const v1::LinkNumberRequest& request,
                                           rpc::StreamWriter<v1::LinkNumberResponse>& writer);
  grpc::ServerWriteReactor<v1::LinkNumberResponse>* LinkNumber(grpc::CallbackServerContext* context,
                                                               const v1::LinkNumberRequest* request) override;
  asio::awaitable<absl::Status> WatchNumbers(const rpc::Call& call, const v1::WatchNumbersRequest& request,
                                             rpc::StreamWriter<v1::WatchNumbersResponse>& writer);
  grpc::ServerWriteReactor<v1::WatchNumbersResponse>* WatchNumbers(grpc::CallbackServerContext* context,
                                                                   const v1::WatchNumbersRequest* request) override;

 private:
  asio::awaitable<absl::StatusOr<store::v1::Number>> Find(const rpc::Call& call, std::string number_id,
                                                          std::string name);
  asio::awaitable<absl::StatusOr<store::v1::Number>> FindOrMake(const rpc::Call& call,
                                                                const v1::LinkNumberRequest& request);

  rpc::Dispatcher& dispatcher_;
  const rpc::Client<store::v1::DeviceService> store_;
  const gateway::SendMessage send_;
  const std::shared_ptr<NumberFleet> fleet_;
  const absl::Status no_fleet_;
};

}  // namespace medidesk::gateway
