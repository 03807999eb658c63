// GatewayService.SendMessage: commits a message of another service to the store, which hands it to the number's
// gateway.
//
// Thread-safe; coroutines resume on their caller's executor.
#pragma once

#include "base/rpc/call.h"
#include "base/rpc/client.h"
#include "medidesk/gateway/v1/gateway.pb.h"
#include "medidesk/store/v1/conversation.grpc.pb.h"

namespace medidesk::gateway {

class SendMessage {
 public:
  static constexpr std::size_t kMaxCharacters = 12'288;
  static constexpr std::chrono::hours kWindow{24};

  // The channel outlives it.
  explicit SendMessage(const rpc::Channel& store) : conversations_(store) {}

  // Errors are the contract's.
  boost::asio::awaitable<absl::StatusOr<v1::SendMessageResponse>> Run(const rpc::Call& call,
                                                                      const v1::SendMessageRequest& request) const;

 private:
  boost::asio::awaitable<absl::StatusOr<store::v1::Conversation>> Find(const rpc::Call& call,
                                                                       const v1::SendMessageRequest& request) const;

  rpc::Client<store::v1::ConversationService> conversations_;
};

// The id of the message that this caller means by this key: the same for the same, another for others.
std::string MessageIdOf(const rpc::Principal& caller, std::string_view idempotency_key);

}  // namespace medidesk::gateway
