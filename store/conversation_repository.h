// Conversations in PostgreSQL: one named statement for each operation, one round trip each; accepts and
// replies that come at once share one (store/batcher.h).
//
// Thread-safe. Arguments are checked by the caller (ids are UUIDs, enums have their words); texts
// are cleaned here. Errors are DbPool's; an empty optional means that there is no such row.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "store/batcher.h"
#include "store/db_pool.h"
#include "store/turn_calls.h"
#include "store/turn_rows.h"

namespace medidesk::store {

// Which conversations to list; what is empty lets all through.
struct ConversationFilter {
  std::string query;         // part of a name, or at least 4 digits of a number
  std::string status;        // "active", "archived" or "human_takeover"
  std::string phone_digits;  // the whole number
  std::string number_id, assigned_to;
};

class ConversationRepository {
 public:
  using Deadline = DbPool::Clock::time_point;
  struct Options {
    std::string webhook_number;             // WEBHOOK_NUMBER, a name; may be empty
    std::chrono::milliseconds claim{5000};  // how long a claim lives
  };

  ConversationRepository(DbPool& pool, Options options);

  // `phone` is E.164.
  asio::awaitable<absl::StatusOr<TurnOutcome>> Accept(const v1::AcceptRequest& request, const std::string& phone,
                                                      const std::string& trace_id, Deadline deadline);
  // A sealed turn without claim_expire_time: somebody else is at work.
  asio::awaitable<absl::StatusOr<std::optional<TurnOutcome>>> GetTurn(const v1::GetTurnRequest& request,
                                                                      Deadline deadline);
  asio::awaitable<absl::StatusOr<bool>> RenewClaim(const v1::RenewClaimRequest& request, Deadline deadline);
  asio::awaitable<absl::StatusOr<std::optional<v1::CommitReplyResponse>>> CommitReply(
      const v1::CommitReplyRequest& request, const std::string& trace_id, Deadline deadline);

  asio::awaitable<absl::StatusOr<v1::ListPendingResponse>> ListPending(const std::string& number_id, int limit,
                                                                       bool include_recent, Deadline deadline);
  enum class QueueOutcome { kQueued, kDuplicate, kNotFound, kNoNumber, kBlocked };
  asio::awaitable<absl::StatusOr<QueueOutcome>> QueueOutbound(const v1::QueueOutboundRequest& request,
                                                              const std::string& trace_id, Deadline deadline);
  // Queued parts of the numbers (all when empty), oldest first.
  asio::awaitable<absl::StatusOr<std::vector<v1::OutboxPart>>> ListOutbox(const std::vector<std::string>& number_ids,
                                                                          int limit, Deadline deadline);

  struct Page {
    std::vector<v1::Conversation> conversations;
    std::int64_t last_minute = 0;  // where the next page begins, with the last id
  };
  // Latest activity first; `before_minute` and `before_id` are the last of the previous page.
  asio::awaitable<absl::StatusOr<Page>> ListConversations(const ConversationFilter& filter,
                                                          std::optional<std::int64_t> before_minute,
                                                          std::string before_id, int limit, Deadline deadline);
  asio::awaitable<absl::StatusOr<std::optional<v1::Conversation>>> GetConversation(const std::string& id,
                                                                                   Deadline deadline);
  // nullopt: no such row, or `etag` is not empty and no longer current.
  asio::awaitable<absl::StatusOr<std::optional<std::string>>> UpdateConversation(
      const v1::UpdateConversationRequest& request, Deadline deadline);
  // Newest first; `before_seq` 0: from the newest.
  asio::awaitable<absl::StatusOr<std::vector<v1::Message>>> ListMessages(const std::string& conversation_id,
                                                                         std::int64_t before_seq, int limit,
                                                                         Deadline deadline);
  // The id of the surviving conversation.
  asio::awaitable<absl::StatusOr<std::optional<std::string>>> SetTakeover(const std::string& conversation_id, bool on,
                                                                          const std::string& staff_id,
                                                                          const std::string& reason,
                                                                          const std::string& trace_id,
                                                                          Deadline deadline);
  asio::awaitable<absl::StatusOr<std::optional<std::string>>> Assign(const std::string& conversation_id,
                                                                     const std::string& staff_id, Deadline deadline);

 private:
  // Of webhook and rpc callers; read once.
  asio::awaitable<absl::StatusOr<std::string>> WebhookNumberId(Deadline deadline);

  DbPool& pool_;
  const Options options_;
  const std::shared_ptr<Batcher<TurnCall>> turn_calls_;
  std::mutex mutex_;
  std::string webhook_number_id_;  // under mutex_; empty until known
};

}  // namespace medidesk::store
