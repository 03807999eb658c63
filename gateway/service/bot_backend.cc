#include "gateway/service/bot_backend.h"

#include "gateway/service/timestamps.h"

namespace medidesk::gateway {
namespace {

namespace asio = boost::asio;
namespace v1 = store::v1;

constexpr std::chrono::seconds kStoreLimit{5};
constexpr int kPendingPage = 1'000;

bot::Origin OriginOf(v1::ReplyOrigin origin) {
  return origin == v1::REPLY_ORIGIN_UNSPECIFIED ? bot::Origin::kBot : static_cast<bot::Origin>(origin);
}

}  // namespace

std::optional<bot::WaitingPart> WaitingPartOf(const v1::OutboxPart& part) {
  if (part.state() != v1::PART_STATE_QUEUED && part.state() != v1::PART_STATE_SENDING) return std::nullopt;
  bot::WaitingPart waiting;
  waiting.reply = {.id = part.reply_id(), .text = part.text(), .origin = OriginOf(part.origin())};
  waiting.part = part.part();
  waiting.tried = part.state() == v1::PART_STATE_SENDING;
  waiting.conversation_id = part.conversation_id();
  waiting.recipient = part.recipient();
  waiting.created = ToWallTime(part.create_time());
  if (part.has_last_received_time()) waiting.last_received = ToWallTime(part.last_received_time());
  return waiting;
}

asio::awaitable<absl::StatusOr<bot::Answer>> BotBackend::AskAssistant(const std::string& turn_id,
                                                                      std::chrono::milliseconds limit) {
  assistant::v1::ReplyRequest request;
  request.set_turn_id(turn_id);
  const rpc::CallOptions options = rpc::Within(limit);
  auto response = co_await assistant_.Call(MD_METHOD(Reply), request, options);
  if (!response.ok()) co_return response.status();
  bot::Answer answer;
  if (response->has_text() && !response->reply_id().empty()) {
    answer.reply =
        bot::Reply{.id = response->reply_id(), .text = response->text(), .origin = OriginOf(response->origin())};
  }
  co_return answer;
}

asio::awaitable<absl::StatusOr<bot::Answer>> BotBackend::CommitReply(const std::string& turn_id,
                                                                     const std::string& commit_id,
                                                                     const std::string& text, const std::string& source,
                                                                     const std::string& task) {
  v1::CommitReplyRequest request;
  request.set_turn_id(turn_id);
  request.set_commit_id(commit_id);
  request.set_origin(v1::REPLY_ORIGIN_BOT);
  request.set_text(text);
  request.set_source(source);
  request.set_task_reason(task);
  const rpc::CallOptions options = rpc::Within(kStoreLimit);
  auto response = co_await conversations_.Call(MD_METHOD(CommitReply), request, options);
  if (!response.ok()) co_return response.status();
  bot::Answer answer;
  if (response->has_reply() && response->route() == v1::ROUTE_WHATSAPP) {
    const v1::Reply& reply = response->reply();
    answer.reply = bot::Reply{.id = reply.id(), .text = reply.text(), .origin = OriginOf(reply.origin())};
  }
  co_return answer;
}

asio::awaitable<absl::StatusOr<std::string>> BotBackend::RecipientOf(const std::string& conversation_id) {
  v1::GetConversationRequest request;
  request.set_conversation_id(conversation_id);
  const rpc::CallOptions options = rpc::Within(kStoreLimit);
  auto response = co_await conversations_.Call(MD_METHOD(GetConversation), request, options);
  if (!response.ok()) co_return response.status();
  co_return response->conversation().phone();
}

asio::awaitable<absl::StatusOr<bot::Pending>> BotBackend::ListPending(const std::string& number_id, bool all) {
  v1::ListPendingRequest request;
  request.set_number_id(number_id);
  request.set_page_size(kPendingPage);
  request.set_include_recent(all);
  const rpc::CallOptions options = rpc::Within(kStoreLimit);
  auto response = co_await conversations_.Call(MD_METHOD(ListPending), request, options);
  if (!response.ok()) co_return response.status();
  bot::Pending pending;
  for (int i = 0; i < response->turn_ids_size(); ++i) {
    pending.turns.push_back({.id = response->turn_ids(i),
                             .conversation_id = i < response->conversation_ids_size() ? response->conversation_ids(i)
                                                                                      : response->turn_ids(i)});
  }
  for (const v1::OutboxPart& part : response->parts()) {
    if (auto waiting = WaitingPartOf(part)) pending.parts.push_back(*std::move(waiting));
  }
  co_return pending;
}

}  // namespace medidesk::gateway
