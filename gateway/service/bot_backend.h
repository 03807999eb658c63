// The assistant and the store as the bot of a number asks them.
//
// Thread-safe; coroutines resume on their caller's executor.
#pragma once

#include <optional>
#include <string>

#include "base/rpc/client.h"
#include "gateway/bot/bot_port.h"
#include "medidesk/assistant/v1/assistant.grpc.pb.h"
#include "medidesk/store/v1/conversation.grpc.pb.h"

namespace medidesk::gateway {

class BotBackend final : public bot::Backend {
 public:
  // The channels outlive it.
  BotBackend(const rpc::Channel& assistant, const rpc::Channel& store) : assistant_(assistant), conversations_(store) {}

  boost::asio::awaitable<absl::StatusOr<bot::Answer>> AskAssistant(const std::string& turn_id,
                                                                   std::chrono::milliseconds limit) override;
  boost::asio::awaitable<absl::StatusOr<bot::Answer>> CommitReply(const std::string& turn_id,
                                                                  const std::string& commit_id, const std::string& text,
                                                                  const std::string& source,
                                                                  const std::string& task) override;
  boost::asio::awaitable<absl::StatusOr<std::string>> RecipientOf(const std::string& conversation_id) override;
  // Unfinished turns and unsent parts of a number, oldest first; `all`: those that have just come, too.
  boost::asio::awaitable<absl::StatusOr<bot::Pending>> ListPending(const std::string& number_id, bool all);

 private:
  rpc::Client<assistant::v1::AssistantService> assistant_;
  rpc::Client<store::v1::ConversationService> conversations_;
};

// As the bot deals with it; nullopt for a state that is no longer the gateway's.
std::optional<bot::WaitingPart> WaitingPartOf(const store::v1::OutboxPart& part);

}  // namespace medidesk::gateway
