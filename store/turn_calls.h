// The two statements of the hot path, for one call or for several at once: a message is accepted, a
// reply is committed. See store/migrations/0003_turns.sql and 0004_batches.sql.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

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
};

struct CommitCall {
  std::string turn_id, commit_id;
  v1::ReplyOrigin origin = v1::REPLY_ORIGIN_UNSPECIFIED;
  std::string source, text;
  std::string task_reason;  // "": no task
  std::string trace_id;

  std::optional<v1::CommitReplyResponse> response;  // nullopt: no such turn
};

using TurnCall = std::variant<AcceptCall, CommitCall>;

// Calls with equal keys may not share a statement: the second of two messages of a conversation would not see the
// first.
inline const std::string& KeyOf(const TurnCall& call) {
  const auto* accept = std::get_if<AcceptCall>(&call);
  return accept != nullptr ? accept->phone : std::get<CommitCall>(call).turn_id;
}

inline constexpr char kTurnsName[] = "turns";

// One call does what it says. Of several, the plain ones go together in one statement and one transaction, replies
// before messages; given back are the others, and those whose rows somebody has locked or which that
// statement does not settle (new contacts, takeovers, duplicates). Throws what libpqxx throws; safe
// to repeat.
std::vector<TurnCall*> RunTurnCalls(DbConnection& connection, std::span<TurnCall* const> calls,
                                    std::chrono::milliseconds claim);

}  // namespace medidesk::store
