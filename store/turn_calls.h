// The two statements of the hot path, for one call or for several at once: a message is accepted, a
// reply is committed. See store/migrations/0003_turns.sql and 0004_batches.sql.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "medidesk/store/v1/conversation.pb.h"
#include "store/database.h"
#include "store/turn_rows.h"

namespace medidesk::store {

// What goes in is checked and clean; `outcome` comes out.
struct AcceptCall {
  std::string commit_id;
  v1::Route route = v1::ROUTE_UNSPECIFIED;
  std::string number_id, phone;  // of the number row; E.164
  std::string name;              // "": not told
  std::string message_id;        // "": none
  std::string text;
  std::string time;  // seconds since the epoch with fraction; "": now
  const v1::Verdict* verdict = nullptr;
  std::string fixed_kind, fixed_text;  // "": none
  int history_limit = 0;
  std::string trace_id;

  TurnOutcome outcome;

  // One message of a conversation at a time: the second of two in one batch would not see the first.
  const std::string& key() const { return phone; }
};

struct CommitCall {
  std::string turn_id, commit_id;
  v1::ReplyOrigin origin = v1::REPLY_ORIGIN_UNSPECIFIED;
  std::string source, text;
  std::string task_reason;  // "": no task
  std::string trace_id;

  std::optional<v1::CommitReplyResponse> response;  // nullopt: no such turn

  const std::string& key() const { return turn_id; }
};

inline constexpr char kAcceptName[] = "accept";
inline constexpr char kCommitReplyName[] = "commit_reply";

// Plain calls go together in one statement; the others, and those which that statement left alone, one
// by one after it. Each is its own transaction or shares one with its neighbours, never half of it. Throw what libpqxx
// throws; safe to repeat.
void AcceptMessages(DbConnection& connection, std::span<AcceptCall* const> calls, std::chrono::milliseconds claim);
void CommitReplies(DbConnection& connection, std::span<CommitCall* const> calls);

}  // namespace medidesk::store
