#include "store/service/conversation_service.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <charconv>

#include "base/phone_number.h"
#include "base/uuid.h"
#include "store/clean_text.h"

namespace medidesk::store {
namespace {

using Clock = DbPool::Clock;
constexpr int kMaxHistory = 200;

Clock::time_point DeadlineOf(const rpc::Call& call) { return Clock::now() + call.Left(); }

absl::Status CheckId(std::string_view field, const std::string& id) {
  return IsUuid(id) ? absl::OkStatus() : rpc::InvalidField(field, "expected a UUID");
}
absl::Status CheckOptionalId(std::string_view field, const std::string& id) {
  return id.empty() ? absl::OkStatus() : CheckId(field, id);
}
absl::Status CheckHistory(int limit) {
  return limit >= 0 && limit <= kMaxHistory ? absl::OkStatus()
                                            : rpc::InvalidField("history_limit", "expected 0 to 200");
}
absl::Status CheckText(const std::string& text) {
  if (text.empty()) return rpc::InvalidField("text", "must not be empty");
  if (text.size() > kMaxTextBytes) return rpc::InvalidField("text", "at most 65,536 bytes");
  return absl::OkStatus();
}
// A code of our own for a log or an audit row: [a-z0-9_:.-], at most 64.
absl::Status CheckCode(std::string_view field, const std::string& code) {
  const bool fine =
      code.size() <= 64 &&
      code.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:.-") == std::string::npos;
  return fine ? absl::OkStatus() : rpc::InvalidField(field, "at most 64 letters, digits and _ : . -");
}
absl::StatusOr<int> PageSize(int asked, int standard) {
  if (asked < 0 || asked > 1000) return rpc::InvalidField("page_size", "expected 0 to 1000");
  return asked == 0 ? standard : asked;
}
absl::Status NoConversation() { return Error(absl::StatusCode::kNotFound, "no such conversation"); }
absl::Status NoTurn() { return Error(absl::StatusCode::kNotFound, "no such turn"); }

asio::awaitable<void> Pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace

ConversationService::ConversationService(rpc::Dispatcher& dispatcher, ConversationRepository& repository,
                                         Options options)
    : dispatcher_(dispatcher), repository_(repository), options_(options) {}
ConversationService::~ConversationService() = default;

asio::awaitable<absl::StatusOr<v1::AcceptResponse>> ConversationService::Accept(const rpc::Call& call,
                                                                                const v1::AcceptRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckHistory(request.history_limit()));
  if (request.route() != v1::ROUTE_WEBHOOK && request.route() != v1::ROUTE_RPC) {
    co_return rpc::InvalidField("route", "expected ROUTE_WEBHOOK or ROUTE_RPC");
  }
  const auto phone = PhoneNumber::Parse(request.phone());
  if (!phone)
    co_return rpc::InvalidField("phone", "expected a phone number of 7 to 15 digits, for example +15550109999");
  if (request.whatsapp_message_id().size() > 256)
    co_return rpc::InvalidField("whatsapp_message_id", "at most 256 bytes");
  if (request.text().empty()) co_return rpc::InvalidField("text", "must not be empty");
  MD_CO_RETURN_IF_ERROR(CheckCode("verdict.family", request.verdict().family()));
  if (request.has_fixed_reply()) {
    MD_CO_RETURN_IF_ERROR(CheckText(request.fixed_reply().text()));
    if (ToText(request.fixed_reply().kind()).empty())
      co_return rpc::InvalidField("fixed_reply.kind", "expected a known kind");
  }

  MD_ASSIGN_OR_CO_RETURN(TurnOutcome outcome,
                         co_await repository_.Accept(request, phone->E164(), call.trace.trace_id, DeadlineOf(call)));
  v1::AcceptResponse response;
  *response.mutable_turn() = std::move(outcome.turn);
  response.set_duplicate(outcome.duplicate);
  if (!outcome.reply.id().empty()) *response.mutable_reply() = std::move(outcome.reply);
  response.set_status(outcome.status);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::GetTurnResponse>> ConversationService::GetTurn(const rpc::Call& call,
                                                                                  const v1::GetTurnRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("turn_id", request.turn_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("claim_id", request.claim_id()));
  MD_CO_RETURN_IF_ERROR(CheckHistory(request.history_limit()));
  while (true) {
    MD_ASSIGN_OR_CO_RETURN(std::optional<TurnOutcome> outcome, co_await repository_.GetTurn(request, DeadlineOf(call)));
    if (!outcome) co_return NoTurn();
    const bool waiting = outcome->turn.state() == v1::TURN_STATE_SEALED && !outcome->turn.has_claim_expire_time();
    if (!waiting) {
      v1::GetTurnResponse response;
      *response.mutable_turn() = std::move(outcome->turn);
      if (!outcome->reply.id().empty()) *response.mutable_reply() = std::move(outcome->reply);
      response.set_status(outcome->status);
      co_return response;
    }
    if (call.Left() < options_.claim_poll * 2) {
      co_return rpc::WithReason(Error(absl::StatusCode::kAborted, "another caller is still answering; ask again"),
                                "TURN_CLAIMED");
    }
    co_await Pause(options_.claim_poll);
  }
}

asio::awaitable<absl::StatusOr<v1::RenewClaimResponse>> ConversationService::RenewClaim(
    const rpc::Call& call, const v1::RenewClaimRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("turn_id", request.turn_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("claim_id", request.claim_id()));
  MD_ASSIGN_OR_CO_RETURN(const bool held, co_await repository_.RenewClaim(request, DeadlineOf(call)));
  v1::RenewClaimResponse response;
  response.set_held(held);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::CommitReplyResponse>> ConversationService::CommitReply(
    const rpc::Call& call, const v1::CommitReplyRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("turn_id", request.turn_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckText(request.text()));
  MD_CO_RETURN_IF_ERROR(CheckCode("source", request.source()));
  MD_CO_RETURN_IF_ERROR(CheckCode("task_reason", request.task_reason()));
  if (request.origin() != v1::REPLY_ORIGIN_BOT && request.origin() != v1::REPLY_ORIGIN_GATE) {
    co_return rpc::InvalidField("origin", "expected REPLY_ORIGIN_BOT or REPLY_ORIGIN_GATE");
  }
  MD_ASSIGN_OR_CO_RETURN(std::optional<v1::CommitReplyResponse> response,
                         co_await repository_.CommitReply(request, call.trace.trace_id, DeadlineOf(call)));
  if (!response) co_return NoTurn();
  co_return *std::move(response);
}

asio::awaitable<absl::StatusOr<v1::ListPendingResponse>> ConversationService::ListPending(
    const rpc::Call& call, const v1::ListPendingRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("number_id", request.number_id()));
  MD_ASSIGN_OR_CO_RETURN(const int limit, PageSize(request.page_size(), 100));
  co_return co_await repository_.ListPending(request.number_id(), limit, request.include_recent(), DeadlineOf(call));
}

asio::awaitable<absl::StatusOr<v1::QueueOutboundResponse>> ConversationService::QueueOutbound(
    const rpc::Call& call, const v1::QueueOutboundRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("conversation_id", request.conversation_id()));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("staff_id", request.staff_id()));
  MD_CO_RETURN_IF_ERROR(CheckText(request.text()));
  if (request.origin() != v1::REPLY_ORIGIN_STAFF && request.origin() != v1::REPLY_ORIGIN_SERVICE) {
    co_return rpc::InvalidField("origin", "expected REPLY_ORIGIN_STAFF or REPLY_ORIGIN_SERVICE");
  }
  using Outcome = ConversationRepository::QueueOutcome;
  MD_ASSIGN_OR_CO_RETURN(const Outcome outcome,
                         co_await repository_.QueueOutbound(request, call.trace.trace_id, DeadlineOf(call)));
  if (outcome == Outcome::kNotFound) co_return NoConversation();
  if (outcome == Outcome::kNoNumber) {
    co_return rpc::WithReason(Error(absl::StatusCode::kFailedPrecondition,
                                    "the conversation's number is not linked to WhatsApp; link it first"),
                              "NUMBER_NOT_LINKED");
  }
  if (outcome == Outcome::kBlocked) {
    co_return rpc::WithReason(
        Error(absl::StatusCode::kFailedPrecondition, "this contact is blocked; nothing is sent to it"), "BLOCKED");
  }
  v1::QueueOutboundResponse response;
  response.set_reply_id(request.commit_id());
  response.set_duplicate(outcome == Outcome::kDuplicate);
  co_return response;
}

asio::awaitable<absl::Status> ConversationService::WatchOutbox(const rpc::Call&, const v1::WatchOutboxRequest& request,
                                                               rpc::StreamWriter<v1::WatchOutboxResponse>& writer) {
  if (request.number_ids_size() > 1000) co_return rpc::InvalidField("number_ids", "at most 1000");
  const std::vector<std::string> numbers(request.number_ids().begin(), request.number_ids().end());
  for (const std::string& id : numbers) MD_CO_RETURN_IF_ERROR(CheckId("number_ids", id));
  while (true) {
    auto parts = co_await repository_.ListOutbox(numbers, 100, Clock::now() + std::chrono::seconds(5));
    if (!parts.ok()) co_return parts.status();
    for (v1::OutboxPart& part : *parts) {
      v1::WatchOutboxResponse response;
      *response.mutable_part() = std::move(part);
      if (!co_await writer.Write(std::move(response))) co_return absl::OkStatus();
    }
    co_await Pause(options_.outbox_poll);
  }
}

asio::awaitable<absl::StatusOr<v1::ListConversationsResponse>> ConversationService::ListConversations(
    const rpc::Call& call, const v1::ListConversationsRequest& request) {
  MD_ASSIGN_OR_CO_RETURN(const int limit, PageSize(request.page_size(), 50));
  ConversationFilter filter;
  filter.status = ToText(request.status());
  filter.query = request.query();
  filter.number_id = request.number_id();
  filter.assigned_to = request.assigned_to();
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("number_id", request.number_id()));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("assigned_to", request.assigned_to()));
  if (request.query().size() > 400) co_return rpc::InvalidField("query", "at most 100 characters");
  for (const char c : request.phone()) {
    if (c >= '0' && c <= '9') filter.phone_digits += c;
  }
  if (!request.phone().empty() && (filter.phone_digits.empty() || filter.phone_digits.size() > 32)) {
    co_return rpc::InvalidField("phone", "expected a phone number");
  }
  // Token: "<minute>.<id>" of the last conversation before.
  std::optional<std::int64_t> minute;
  std::string id;
  if (const std::string& token = request.page_token(); !token.empty()) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    if (error == std::errc() && end != token.data() + token.size() && *end == '.') id = std::string(end + 1);
    if (!IsUuid(id) || value < 0 || value > 100'000'000) {
      co_return rpc::InvalidField("page_token", "expected the token of a page that was listed before");
    }
    minute = value;
  }
  MD_ASSIGN_OR_CO_RETURN(ConversationRepository::Page page,
                         co_await repository_.ListConversations(filter, minute, id, limit, DeadlineOf(call)));
  v1::ListConversationsResponse response;
  if (page.conversations.size() == static_cast<std::size_t>(limit)) {
    response.set_next_page_token(fmt::format("{}.{}", page.last_minute, page.conversations.back().id()));
  }
  for (v1::Conversation& conversation : page.conversations) *response.add_conversations() = std::move(conversation);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::Conversation>> ConversationService::Read(const std::string& id,
                                                                            const rpc::Call& call) {
  MD_ASSIGN_OR_CO_RETURN(std::optional<v1::Conversation> conversation,
                         co_await repository_.GetConversation(id, DeadlineOf(call)));
  if (!conversation) co_return NoConversation();
  co_return *std::move(conversation);
}

asio::awaitable<absl::StatusOr<v1::GetConversationResponse>> ConversationService::GetConversation(
    const rpc::Call& call, const v1::GetConversationRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("conversation_id", request.conversation_id()));
  v1::GetConversationResponse response;
  MD_ASSIGN_OR_CO_RETURN(*response.mutable_conversation(), co_await Read(request.conversation_id(), call));
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::UpdateConversationResponse>> ConversationService::UpdateConversation(
    const rpc::Call& call, const v1::UpdateConversationRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("conversation_id", request.conversation_id()));
  if (request.status() == v1::CONVERSATION_STATUS_HUMAN_TAKEOVER) {
    co_return rpc::InvalidField("status", "use TakeOver and HandBack");
  }
  MD_ASSIGN_OR_CO_RETURN(const std::optional<std::string> id,
                         co_await repository_.UpdateConversation(request, DeadlineOf(call)));
  if (!id) {
    MD_ASSIGN_OR_CO_RETURN(const v1::Conversation current, co_await Read(request.conversation_id(), call));
    co_return rpc::WithReason(Error(absl::StatusCode::kAborted, "the conversation changed; read it again and repeat"),
                              "ETAG_MISMATCH");
  }
  v1::UpdateConversationResponse response;
  MD_ASSIGN_OR_CO_RETURN(*response.mutable_conversation(), co_await Read(*id, call));
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::ListMessagesResponse>> ConversationService::ListMessages(
    const rpc::Call& call, const v1::ListMessagesRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("conversation_id", request.conversation_id()));
  MD_ASSIGN_OR_CO_RETURN(const int limit, PageSize(request.page_size(), 50));
  std::int64_t before = 0;
  if (const std::string& token = request.page_token(); !token.empty()) {
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), before);
    if (error != std::errc() || end != token.data() + token.size() || before < 1) {
      co_return rpc::InvalidField("page_token", "expected the token of a page that was listed before");
    }
  }
  MD_ASSIGN_OR_CO_RETURN(std::vector<v1::Message> messages,
                         co_await repository_.ListMessages(request.conversation_id(), before, limit, DeadlineOf(call)));
  v1::ListMessagesResponse response;
  if (messages.size() == static_cast<std::size_t>(limit))
    response.set_next_page_token(std::to_string(messages.back().seq()));
  for (v1::Message& message : messages) *response.add_messages() = std::move(message);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::Conversation>> ConversationService::ChangeTakeover(
    const rpc::Call& call, const std::string& conversation_id, bool on, const std::string& staff_id,
    const std::string& reason) {
  MD_CO_RETURN_IF_ERROR(CheckId("conversation_id", conversation_id));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("staff_id", staff_id));
  MD_CO_RETURN_IF_ERROR(CheckCode("reason", reason));
  const std::string code = reason.empty() ? "staff" : reason;
  MD_ASSIGN_OR_CO_RETURN(
      const std::optional<std::string> id,
      co_await repository_.SetTakeover(conversation_id, on, staff_id, code, call.trace.trace_id, DeadlineOf(call)));
  if (!id) co_return NoConversation();
  co_return co_await Read(*id, call);
}

asio::awaitable<absl::StatusOr<v1::TakeOverResponse>> ConversationService::TakeOver(
    const rpc::Call& call, const v1::TakeOverRequest& request) {
  v1::TakeOverResponse response;
  MD_ASSIGN_OR_CO_RETURN(
      *response.mutable_conversation(),
      co_await ChangeTakeover(call, request.conversation_id(), true, request.staff_id(), request.reason()));
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::HandBackResponse>> ConversationService::HandBack(
    const rpc::Call& call, const v1::HandBackRequest& request) {
  v1::HandBackResponse response;
  const std::string reason;
  MD_ASSIGN_OR_CO_RETURN(*response.mutable_conversation(),
                         co_await ChangeTakeover(call, request.conversation_id(), false, request.staff_id(), reason));
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::AssignConversationResponse>> ConversationService::AssignConversation(
    const rpc::Call& call, const v1::AssignConversationRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("conversation_id", request.conversation_id()));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("staff_id", request.staff_id()));
  MD_ASSIGN_OR_CO_RETURN(const std::optional<std::string> id,
                         co_await repository_.Assign(request.conversation_id(), request.staff_id(), DeadlineOf(call)));
  if (!id) co_return NoConversation();
  v1::AssignConversationResponse response;
  MD_ASSIGN_OR_CO_RETURN(*response.mutable_conversation(), co_await Read(*id, call));
  co_return response;
}

}  // namespace medidesk::store
