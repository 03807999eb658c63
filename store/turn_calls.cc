#include "store/turn_calls.h"

#include <utility>
#include <vector>

#include "store/array_text.h"

namespace medidesk::store {
namespace {

constexpr Query kAccept = {
    "accept",
    "select " MD_TURN_COLUMNS
    " from medidesk.accept($1::uuid, $2, $3::uuid, $4, '', $5, $6, $7, to_timestamp(nullif($8, '')::double precision), "
    "nullif($9, '')::jsonb, $10, $11, $12, $13::uuid, $14::double precision, $15::int, $16)"};
constexpr Query kCommitReply = {
    "commit_reply",
    "select committed, reply_id, reply_text, reply_origin, state, skip_reason, route, status "
    "from medidesk.commit_reply($1::uuid, $2::uuid, $3, $4, $5, $6, $7)"};
// Replies first: a message that comes meanwhile finds its conversation free and the reply in its history.
constexpr Query kTurnsMany = {
    kTurnsName,
    "select turn_id, status, route, null::uuid, null::bigint, null::text from medidesk.commit_many($1::uuid[], "
    "$2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[]) "
    "union all "
    "select commit_id, null, null, conversation_id, (extract(epoch from claim_until) * 1000000)::bigint, "
    "concat(contact_id, history) from medidesk.accept_many($7::uuid[], $8::text[], $9::uuid[], $10::text[], "
    "$11::text[], $12::text[], $13::double precision[], $14::jsonb[], $15::text[], $16::int[], $17::text[], "
    "$18::double precision)"};

constexpr std::size_t kUuidLength = 36;

double Seconds(std::chrono::milliseconds time) { return std::chrono::duration<double>(time).count(); }

void AcceptOne(DbConnection& connection, AcceptCall& call, std::chrono::milliseconds claim) {
  // A second id that a retry makes again: the fixed reply's.
  std::string reply_id = call.commit_id;
  reply_id[14] = reply_id[14] == '8' ? '9' : '8';  // the version's digit
  const pqxx::result rows = ExecutePrepared(
      connection, kAccept, call.commit_id, std::string(ToText(call.route)), call.number_id, call.phone, call.name,
      call.message_id, call.text, call.time, VerdictToJson(*call.verdict), call.fixed_kind, call.fixed_text,
      call.verdict->family(), reply_id, Seconds(claim), call.history_limit, call.trace_id);
  call.outcome = ReadTurn(rows[0]);
}

void CommitOne(DbConnection& connection, CommitCall& call) {
  const pqxx::result rows =
      ExecutePrepared(connection, kCommitReply, call.turn_id, call.commit_id, std::string(ToText(call.origin)),
                      call.source, call.text, call.task_reason, call.trace_id);
  const pqxx::row row = rows[0];
  call.response.reset();
  if (row[4].is_null()) return;
  v1::CommitReplyResponse& response = call.response.emplace();
  response.set_committed(row[0].as<bool>());
  if (!row[1].is_null()) {
    response.mutable_reply()->set_id(row[1].c_str());
    response.mutable_reply()->set_text(row[2].c_str(), row[2].size());
    response.mutable_reply()->set_origin(OriginFromText(row[3].c_str()));
  }
  response.set_state(TurnStateFromText(row[4].c_str()));
  if (!row[5].is_null()) response.set_skip_reason(SkipReasonFromText(row[5].c_str()));
  response.set_route(RouteFromText(row[6].c_str()));
  response.set_status(StatusFromText(row[7].c_str()));
}

// The call whose `id` this is, taken off the list; null when there is none.
template <class Call>
Call* TakeOff(std::vector<TurnCall*>* calls, std::string_view id, std::string Call::*member) {
  for (auto place = calls->begin(); place != calls->end(); ++place) {
    Call* const call = &std::get<Call>(**place);
    if (call->*member != id) continue;
    calls->erase(place);
    return call;
  }
  return nullptr;
}

bool IsPlain(const TurnCall& call) {
  if (const auto* commit = std::get_if<CommitCall>(&call)) return commit->task_reason.empty();
  const auto& accept = std::get<AcceptCall>(call);
  return accept.route != v1::ROUTE_WHATSAPP && accept.fixed_kind.empty() && accept.name.empty();
}

void Fill(CommitCall* call, std::string_view status, std::string_view route) {
  v1::CommitReplyResponse& response = call->response.emplace();
  response.set_committed(true);
  response.mutable_reply()->set_id(call->commit_id);
  response.mutable_reply()->set_text(call->text);
  response.mutable_reply()->set_origin(call->origin);
  response.set_state(v1::TURN_STATE_ANSWERED);
  response.set_status(StatusFromText(status));
  response.set_route(RouteFromText(route));
}

// `contact_and_history`: the contact's id, then the history.
void Fill(AcceptCall* call, const char* conversation_id, std::optional<std::int64_t> claim_until,
          std::string_view contact_and_history) {
  TurnOutcome& outcome = call->outcome = {};
  outcome.status = v1::CONVERSATION_STATUS_ACTIVE;
  v1::Turn& turn = outcome.turn;
  turn.set_id(call->commit_id);
  turn.set_conversation_id(conversation_id);
  turn.set_contact_id(std::string(contact_and_history.substr(0, kUuidLength)));
  turn.set_state(v1::TURN_STATE_SEALED);
  turn.set_route(call->route);
  turn.add_texts(call->text);
  if (claim_until.has_value()) {
    *turn.mutable_claim_expire_time() = TimeFromMicros(*claim_until);
    ReadHistory(contact_and_history.substr(kUuidLength), &turn);
  }
  if (!call->verdict->table_version().empty()) *turn.mutable_verdict() = *call->verdict;
}

// The calls in one statement; takes those that it did off the lists.
void RunTogether(DbConnection& connection, std::vector<TurnCall*>* commits, std::vector<TurnCall*>* accepts,
                 std::chrono::milliseconds claim) {
  ArrayText turns, replies, origins, sources, reply_texts, reply_traces;
  for (const TurnCall* turn_call : *commits) {
    const CommitCall* const call = &std::get<CommitCall>(*turn_call);
    turns.Add(call->turn_id);
    replies.Add(call->commit_id);
    origins.Add(ToText(call->origin));
    sources.Add(call->source);
    reply_texts.Add(call->text);
    reply_traces.AddOrNull(call->trace_id);
  }
  ArrayText ids, routes, numbers, phones, message_ids, texts, times, verdicts, families, limits, traces;
  for (const TurnCall* turn_call : *accepts) {
    const AcceptCall* const call = &std::get<AcceptCall>(*turn_call);
    ids.Add(call->commit_id);
    routes.Add(ToText(call->route));
    numbers.Add(call->number_id);
    phones.Add(call->phone);
    message_ids.Add(call->message_id.empty() ? "gen:" + call->commit_id : call->message_id);
    texts.Add(call->text);
    times.AddOrNull(call->time);
    verdicts.AddOrNull(VerdictToJson(*call->verdict));
    families.AddOrNull(call->verdict->family());
    limits.Add(std::to_string(call->history_limit));
    traces.AddOrNull(call->trace_id);
  }
  const pqxx::result rows =
      ExecutePrepared(connection, kTurnsMany, turns.Finish(), replies.Finish(), origins.Finish(), sources.Finish(),
                      reply_texts.Finish(), reply_traces.Finish(), ids.Finish(), routes.Finish(), numbers.Finish(),
                      phones.Finish(), message_ids.Finish(), texts.Finish(), times.Finish(), verdicts.Finish(),
                      families.Finish(), limits.Finish(), traces.Finish(), Seconds(claim));
  for (const pqxx::row row : rows) {
    if (!row[1].is_null()) {
      CommitCall* const call = TakeOff(commits, row[0].c_str(), &CommitCall::turn_id);
      if (call != nullptr) Fill(call, row[1].c_str(), row[2].c_str());
    } else {
      AcceptCall* const call = TakeOff(accepts, row[0].c_str(), &AcceptCall::commit_id);
      if (call == nullptr) continue;
      const auto claim_until = row[4].is_null() ? std::nullopt : std::optional(row[4].as<std::int64_t>());
      Fill(call, row[3].c_str(), claim_until, {row[5].c_str(), row[5].size()});
    }
  }
}

}  // namespace

std::vector<TurnCall*> RunTurnCalls(DbConnection& connection, std::span<TurnCall* const> calls,
                                    std::chrono::milliseconds claim) {
  if (calls.size() == 1) {
    if (auto* commit = std::get_if<CommitCall>(calls[0])) CommitOne(connection, *commit);
    if (auto* accept = std::get_if<AcceptCall>(calls[0])) AcceptOne(connection, *accept, claim);
    return {};
  }
  std::vector<TurnCall*> commits, accepts, undone;
  for (TurnCall* call : calls) {
    const bool is_accept = std::holds_alternative<AcceptCall>(*call);
    (!IsPlain(*call) ? undone : is_accept ? accepts : commits).push_back(call);
  }
  if (commits.size() + accepts.size() > 1) RunTogether(connection, &commits, &accepts, claim);
  undone.insert(undone.end(), commits.begin(), commits.end());
  undone.insert(undone.end(), accepts.begin(), accepts.end());
  return undone;
}

}  // namespace medidesk::store
