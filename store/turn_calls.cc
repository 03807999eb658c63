#include "store/turn_calls.h"

#include <utility>
#include <vector>

#include "store/array_text.h"

namespace medidesk::store {
namespace {

constexpr Query kAccept = {
    kAcceptName,
    "select " MD_TURN_COLUMNS
    " from medidesk.accept($1::uuid, $2, $3::uuid, $4, '', $5, $6, $7, to_timestamp(nullif($8, '')::double precision), "
    "nullif($9, '')::jsonb, $10, $11, $12, $13::uuid, $14::double precision, $15::int, $16)"};
constexpr Query kAcceptMany = {
    "accept_many",
    "select commit_id, conversation_id, contact_id, (extract(epoch from claim_until) * 1000000)::bigint, history "
    "from medidesk.accept_many($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], "
    "$7::double precision[], $8::jsonb[], $9::text[], $10::int[], $11::text[], $12::double precision)"};
constexpr Query kCommitReply = {
    kCommitReplyName,
    "select committed, reply_id, reply_text, reply_origin, state, skip_reason, route, status "
    "from medidesk.commit_reply($1::uuid, $2::uuid, $3, $4, $5, $6, $7)"};
constexpr Query kCommitMany = {
    "commit_many",
    "select turn_id, status, route "
    "from medidesk.commit_many($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])"};

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

bool IsPlain(const AcceptCall& call) {
  return call.route != v1::ROUTE_WHATSAPP && call.fixed_kind.empty() && call.name.empty();
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

// Runs `together` on the plain calls and `alone` on each that it does not take off the list.
template <class Call, class Plain, class Together, class Alone>
void Divide(std::span<Call* const> calls, Plain is_plain, Together together, Alone alone) {
  std::vector<Call*> plain, rest;
  for (Call* call : calls) (is_plain(*call) ? plain : rest).push_back(call);
  if (plain.size() > 1) together(plain);
  rest.insert(rest.end(), plain.begin(), plain.end());
  for (Call* call : rest) alone(*call);
}

template <class Call>
Call* TakeOff(std::vector<Call*>* calls, std::string_view id, std::string Call::*member) {
  for (auto call = calls->begin(); call != calls->end(); ++call) {
    if ((*call)->*member != id) continue;
    Call* const found = *call;
    calls->erase(call);
    return found;
  }
  return nullptr;
}

}  // namespace

void AcceptMessages(DbConnection& connection, std::span<AcceptCall* const> calls, std::chrono::milliseconds claim) {
  const auto together = [&](std::vector<AcceptCall*>& plain) {
    ArrayText ids, routes, numbers, phones, message_ids, texts, times, verdicts, families, limits, traces;
    for (const AcceptCall* call : plain) {
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
        ExecutePrepared(connection, kAcceptMany, ids.Finish(), routes.Finish(), numbers.Finish(), phones.Finish(),
                        message_ids.Finish(), texts.Finish(), times.Finish(), verdicts.Finish(), families.Finish(),
                        limits.Finish(), traces.Finish(), Seconds(claim));
    for (const pqxx::row row : rows) {
      AcceptCall* const call = TakeOff(&plain, row[0].c_str(), &AcceptCall::commit_id);
      if (call == nullptr) continue;
      TurnOutcome& outcome = call->outcome = {};
      outcome.status = v1::CONVERSATION_STATUS_ACTIVE;
      v1::Turn& turn = outcome.turn;
      turn.set_id(call->commit_id);
      turn.set_conversation_id(row[1].c_str());
      turn.set_contact_id(row[2].c_str());
      turn.set_state(v1::TURN_STATE_SEALED);
      turn.set_route(call->route);
      turn.add_texts(call->text);
      if (!row[3].is_null()) {
        *turn.mutable_claim_expire_time() = TimeFromMicros(row[3].as<std::int64_t>());
        ReadHistory({row[4].c_str(), row[4].size()}, &turn);
      }
      if (!call->verdict->table_version().empty()) *turn.mutable_verdict() = *call->verdict;
    }
  };
  Divide<AcceptCall>(calls, IsPlain, together, [&](AcceptCall& call) { AcceptOne(connection, call, claim); });
}

void CommitReplies(DbConnection& connection, std::span<CommitCall* const> calls) {
  const auto together = [&](std::vector<CommitCall*>& plain) {
    ArrayText turns, ids, origins, sources, texts, traces;
    for (const CommitCall* call : plain) {
      turns.Add(call->turn_id);
      ids.Add(call->commit_id);
      origins.Add(ToText(call->origin));
      sources.Add(call->source);
      texts.Add(call->text);
      traces.AddOrNull(call->trace_id);
    }
    const pqxx::result rows = ExecutePrepared(connection, kCommitMany, turns.Finish(), ids.Finish(), origins.Finish(),
                                              sources.Finish(), texts.Finish(), traces.Finish());
    for (const pqxx::row row : rows) {
      CommitCall* const call = TakeOff(&plain, row[0].c_str(), &CommitCall::turn_id);
      if (call == nullptr) continue;
      v1::CommitReplyResponse& response = call->response.emplace();
      response.set_committed(true);
      response.mutable_reply()->set_id(call->commit_id);
      response.mutable_reply()->set_text(call->text);
      response.mutable_reply()->set_origin(call->origin);
      response.set_state(v1::TURN_STATE_ANSWERED);
      response.set_status(StatusFromText(row[1].c_str()));
      response.set_route(RouteFromText(row[2].c_str()));
    }
  };
  Divide<CommitCall>(
      calls, [](const CommitCall& call) { return call.task_reason.empty(); }, together,
      [&](CommitCall& call) { CommitOne(connection, call); });
}

}  // namespace medidesk::store
