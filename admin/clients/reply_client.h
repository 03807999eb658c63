// The webhook's way to the assistant.
#pragma once

#include "admin/api/reply_backend.h"
#include "base/rpc/client.h"
#include "medidesk/assistant/v1/assistant.grpc.pb.h"

namespace medidesk::admin {

// A message with an id is asked about up to three times while the assistant is UNAVAILABLE: an instance that stops
// answers so, and another one serves. Thread-safe.
class ReplyClient final : public ReplyBackend {
 public:
  explicit ReplyClient(const rpc::Channel& assistant) : assistant_(assistant) {}
  boost::asio::awaitable<absl::StatusOr<ReplyResult>> Reply(ReplyCall call) override;

 private:
  rpc::Client<assistant::v1::AssistantService> assistant_;
};

}  // namespace medidesk::admin
