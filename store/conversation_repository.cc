#include "store/conversation_repository.h"

#include <fmt/format.h>

#include "store/clean_text.h"

namespace medidesk::store {
namespace {

constexpr Query kWebhookNumber = {"webhook_number", "select medidesk.webhook_number($1)"};
constexpr Query kGetTurn = {"get_turn",
                            "select " MD_TURN_COLUMNS
                            " from medidesk.get_turn($1::uuid, $2::uuid, $3::boolean, $4::double precision, $5::int)"};
constexpr Query kRenewClaim = {"renew_claim", "select medidesk.renew_claim($1::uuid, $2::uuid, $3::double precision)"};
constexpr Query kPendingTurns = {"pending_turns",
                                 "select id, conversation_id from public.turns where state in ('open', 'sealed') and "
                                 "route = 'wa' and number_id = $1::uuid "
                                 "and opened_at <= now() - make_interval(secs => $3) order by first_seq limit $2::int"};
#define MD_PART_COLUMNS                                                                         \
  "p.reply_id, p.part, m.content, r.origin, r.conversation_id, p.number_id, p.state, c.phone, " \
  "(extract(epoch from p.created_at) * 1000000)::bigint, "                                      \
  "(select (extract(epoch from x.created_at) * 1000000)::bigint from public.messages x where "  \
  "x.conversation_id = r.conversation_id and not x.from_me order by x.seq desc limit 1) "       \
  "from public.reply_parts p join public.replies r on r.id = "                                  \
  "p.reply_id "                                                                                 \
  "join public.messages m on m.id = p.reply_id join public.conversations c on c.id = r.conversation_id "
constexpr Query kPendingParts = {
    "pending_parts", "select " MD_PART_COLUMNS
                     "where p.number_id = $1::uuid and p.state in ('queued', 'sending') "
                     "and p.created_at <= now() - make_interval(secs => $3) order by m.seq, p.part limit $2::int"};
constexpr Query kOutbox = {"outbox",
                           "select " MD_PART_COLUMNS
                           "where p.state = 'queued' and ($1::uuid[] = '{}' or p.number_id = any ($1::uuid[])) "
                           "order by p.created_at limit $2::int"};
constexpr Query kQueueOutbound = {
    "queue_outbound",
    "select refusal, duplicate from medidesk.queue_outbound($1::uuid, $2::uuid, $3, nullif($4, '')::uuid, $5, $6)"};
#define MD_FROM_CONVERSATIONS " from public.conversations c join public.contacts k on k.id = c.contact_id "
constexpr Query kListConversations = {
    "list_conversations",
    "select " MD_CONVERSATION_COLUMNS
    " from medidesk.find_conversations($1, $2, $3, $4, $5, $6::bigint, $7::uuid, $8::int) "
    "with ordinality as f(id, n) join public.conversations c on c.id = f.id join public.contacts k on k.id = "
    "c.contact_id "
    "order by f.n"};
constexpr Query kGetConversation = {
    "get_conversation",
    "select " MD_CONVERSATION_COLUMNS MD_FROM_CONVERSATIONS
    "where c.id = (select coalesce(merged_into, id) from public.conversations where id = $1::uuid)"};
constexpr Query kUpdateConversation = {
    "update_conversation",
    "update public.conversations c set patient_name = case when $2 then $3 else c.patient_name end, "
    "status = case when $4 = '' or c.status = 'human_takeover' then c.status else $4 end, updated_at = "
    "clock_timestamp() "
    "where c.id = (select coalesce(merged_into, id) from public.conversations where id = $1::uuid) "
    "and ($5 = '' or c.xmin::text = $5) returning c.id"};
constexpr Query kListMessages = {
    "list_messages",
    "select m.id, m.conversation_id, m.sender, case when m.deleted_at is null then m.content else '' end, not "
    "m.from_me, m.seq, "
    "m.whatsapp_message_id, (extract(epoch from m.created_at) * 1000000)::bigint, r.origin, "
    "case when r.returned_at is not null then 'returned' else "
    "(select p.state from public.reply_parts p where p.reply_id = m.id order by "
    "array_position(array['failed','discarded','unknown','queued','sending','sent','delivered','read'], p.state) limit "
    "1) end, "
    "m.verdict::text, coalesce(r.staff_id::text, ''), coalesce(r.source, ''), "
    "coalesce((select p.failure from public.reply_parts p where p.reply_id = m.id and p.failure is not null limit 1), "
    "'') "
    "from public.messages m left join public.replies r on r.id = m.id "
    "where m.conversation_id = (select coalesce(merged_into, id) from public.conversations where id = $1::uuid) "
    "and m.seq < $2::bigint order by m.seq desc limit $3::int"};
constexpr Query kSetTakeover = {"set_takeover",
                                "select medidesk.set_takeover($1::uuid, $2::boolean, nullif($3, '')::uuid, $4, $5)"};
constexpr Query kAssign = {
    "assign",
    "update public.conversations c set assigned_to = nullif($2, '')::uuid where c.id = "
    "(select coalesce(merged_into, id) from public.conversations where id = $1::uuid) returning c.id"};

double Seconds(std::chrono::milliseconds time) { return std::chrono::duration<double>(time).count(); }

std::string UuidArray(const std::vector<std::string>& ids) { return fmt::format("{{{}}}", fmt::join(ids, ",")); }

std::optional<std::string> OptionalId(const pqxx::result& rows) {
  if (rows.empty() || rows[0][0].is_null()) return std::nullopt;
  return rows[0][0].as<std::string>();
}

v1::OutboxPart ReadPart(const pqxx::row& row) {
  v1::OutboxPart part;
  part.set_reply_id(row[0].c_str());
  part.set_part(row[1].as<int>());
  part.set_text(row[2].c_str(), row[2].size());
  part.set_origin(OriginFromText(row[3].c_str()));
  part.set_conversation_id(row[4].c_str());
  part.set_number_id(row[5].c_str());
  part.set_state(PartStateFromText(row[6].c_str()));
  part.set_recipient(row[7].c_str());
  *part.mutable_create_time() = TimeFromMicros(row[8].as<std::int64_t>());
  if (!row[9].is_null()) *part.mutable_last_received_time() = TimeFromMicros(row[9].as<std::int64_t>());
  return part;
}

}  // namespace

ConversationRepository::ConversationRepository(DbPool& pool, Options options)
    : pool_(pool),
      options_(std::move(options)),
      turn_calls_(std::make_shared<Batcher<TurnCall>>(
          pool, kTurnsName, Batcher<TurnCall>::Options{},
          [claim = options_.claim](DbConnection& connection, std::span<TurnCall* const> calls) {
            return RunTurnCalls(connection, calls, claim);
          })) {}

asio::awaitable<absl::StatusOr<std::string>> ConversationRepository::WebhookNumberId(Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (!webhook_number_id_.empty()) co_return webhook_number_id_;
  }
  const std::function<std::string(DbConnection&)> work = [&](DbConnection& connection) {
    return ExecutePrepared(connection, kWebhookNumber, options_.webhook_number)[0][0].as<std::string>();
  };
  MD_ASSIGN_OR_CO_RETURN(std::string id, co_await pool_.Run(kWebhookNumber, deadline, work));
  const std::lock_guard lock(mutex_);
  webhook_number_id_ = id;
  co_return id;
}

asio::awaitable<absl::StatusOr<TurnOutcome>> ConversationRepository::Accept(const v1::AcceptRequest& request,
                                                                            const std::string& phone,
                                                                            const std::string& trace_id,
                                                                            Deadline deadline) {
  MD_ASSIGN_OR_CO_RETURN(const std::string number_id, co_await WebhookNumberId(deadline));
  TurnCall turn_call(std::in_place_type<AcceptCall>);
  AcceptCall& call = std::get<AcceptCall>(turn_call);
  call.commit_id = request.commit_id();
  call.route = request.route();
  call.number_id = number_id;
  call.phone = phone;
  call.name = CleanText(request.patient_name(), 256);
  call.message_id = CleanText(request.whatsapp_message_id(), 256);
  call.text = CleanText(request.text());
  if (request.has_message_time()) {
    call.time = fmt::format("{}.{:09}", request.message_time().seconds(), request.message_time().nanos());
  }
  call.verdict = &request.verdict();
  if (request.has_fixed_reply()) {
    call.fixed_kind = ToText(request.fixed_reply().kind());
    call.fixed_text = CleanText(request.fixed_reply().text());
  }
  call.history_limit = request.history_limit();
  call.trace_id = trace_id;
  MD_CO_RETURN_IF_ERROR(co_await turn_calls_->Run(deadline, turn_call));
  co_return std::move(call.outcome);
}

asio::awaitable<absl::StatusOr<std::optional<TurnOutcome>>> ConversationRepository::GetTurn(
    const v1::GetTurnRequest& request, Deadline deadline) {
  const std::function<std::optional<TurnOutcome>(DbConnection&)> work =
      [&](DbConnection& connection) -> std::optional<TurnOutcome> {
    const pqxx::result rows = ExecutePrepared(connection, kGetTurn, request.turn_id(), request.claim_id(),
                                              request.seal(), Seconds(options_.claim), request.history_limit());
    if (rows[0][3].is_null()) return std::nullopt;
    return ReadTurn(rows[0]);
  };
  co_return co_await pool_.Run(kGetTurn, deadline, work);
}

asio::awaitable<absl::StatusOr<bool>> ConversationRepository::RenewClaim(const v1::RenewClaimRequest& request,
                                                                         Deadline deadline) {
  const std::function<bool(DbConnection&)> work = [&](DbConnection& connection) {
    return ExecutePrepared(connection, kRenewClaim, request.turn_id(), request.claim_id(),
                           Seconds(options_.claim))[0][0]
        .as<bool>();
  };
  co_return co_await pool_.Run(kRenewClaim, deadline, work);
}

asio::awaitable<absl::StatusOr<std::optional<v1::CommitReplyResponse>>> ConversationRepository::CommitReply(
    const v1::CommitReplyRequest& request, const std::string& trace_id, Deadline deadline) {
  TurnCall turn_call(std::in_place_type<CommitCall>);
  CommitCall& call = std::get<CommitCall>(turn_call);
  call.turn_id = request.turn_id();
  call.commit_id = request.commit_id();
  call.origin = request.origin();
  call.source = request.source();
  call.text = CleanText(request.text());
  call.task_reason = request.task_reason();
  call.trace_id = trace_id;
  MD_CO_RETURN_IF_ERROR(co_await turn_calls_->Run(deadline, turn_call));
  co_return std::move(call.response);
}

asio::awaitable<absl::StatusOr<v1::ListPendingResponse>> ConversationRepository::ListPending(
    const std::string& number_id, int limit, bool include_recent, Deadline deadline) {
  const double age = include_recent ? 0 : 5;  // seconds
  const std::function<v1::ListPendingResponse(DbConnection&)> work = [&](DbConnection& connection) {
    v1::ListPendingResponse response;
    for (const pqxx::row row : ExecutePrepared(connection, kPendingTurns, number_id, limit, age)) {
      response.add_turn_ids(row[0].c_str());
      response.add_conversation_ids(row[1].c_str());
    }
    for (const pqxx::row row : ExecutePrepared(connection, kPendingParts, number_id, limit, age))
      *response.add_parts() = ReadPart(row);
    return response;
  };
  co_return co_await pool_.Run(kPendingTurns, deadline, work);
}

asio::awaitable<absl::StatusOr<ConversationRepository::QueueOutcome>> ConversationRepository::QueueOutbound(
    const v1::QueueOutboundRequest& request, const std::string& trace_id, Deadline deadline) {
  const std::string text = CleanText(request.text());
  const std::function<QueueOutcome(DbConnection&)> work = [&](DbConnection& connection) {
    const pqxx::result rows =
        ExecutePrepared(connection, kQueueOutbound, request.commit_id(), request.conversation_id(),
                        std::string(ToText(request.origin())), request.staff_id(), text, trace_id);
    if (!rows[0][0].is_null()) {
      const std::string_view refusal = rows[0][0].c_str();
      return refusal == "not_found" ? QueueOutcome::kNotFound
             : refusal == "blocked" ? QueueOutcome::kBlocked
                                    : QueueOutcome::kNoNumber;
    }
    return rows[0][1].as<bool>() ? QueueOutcome::kDuplicate : QueueOutcome::kQueued;
  };
  co_return co_await pool_.Run(kQueueOutbound, deadline, work);
}

asio::awaitable<absl::StatusOr<std::vector<v1::OutboxPart>>> ConversationRepository::ListOutbox(
    const std::vector<std::string>& number_ids, int limit, Deadline deadline) {
  const std::string ids = UuidArray(number_ids);
  const std::function<std::vector<v1::OutboxPart>(DbConnection&)> work = [&](DbConnection& connection) {
    std::vector<v1::OutboxPart> parts;
    for (const pqxx::row row : ExecutePrepared(connection, kOutbox, ids, limit)) parts.push_back(ReadPart(row));
    return parts;
  };
  co_return co_await pool_.Run(kOutbox, deadline, work);
}

asio::awaitable<absl::StatusOr<ConversationRepository::Page>> ConversationRepository::ListConversations(
    const ConversationFilter& filter, std::optional<std::int64_t> before_minute, std::string before_id, int limit,
    Deadline deadline) {
  constexpr std::int64_t kFarMinute = 100'000'000;  // the year 2160
  const std::int64_t minute = before_minute.value_or(kFarMinute);
  if (!before_minute) before_id = "ffffffff-ffff-ffff-ffff-ffffffffffff";
  const std::string query = CleanText(filter.query);
  const std::function<Page(DbConnection&)> work = [&](DbConnection& connection) {
    Page page;
    for (const pqxx::row row :
         ExecutePrepared(connection, kListConversations, query, filter.status, filter.phone_digits, filter.number_id,
                         filter.assigned_to, minute, before_id, limit)) {
      ReadConversation(row, &page.conversations.emplace_back());
      page.last_minute = row[12].as<std::int64_t>();
    }
    return page;
  };
  co_return co_await pool_.Run(kListConversations, deadline, work);
}

asio::awaitable<absl::StatusOr<std::optional<v1::Conversation>>> ConversationRepository::GetConversation(
    const std::string& id, Deadline deadline) {
  const std::function<std::optional<v1::Conversation>(DbConnection&)> work =
      [&](DbConnection& connection) -> std::optional<v1::Conversation> {
    const pqxx::result rows = ExecutePrepared(connection, kGetConversation, id);
    if (rows.empty()) return std::nullopt;
    v1::Conversation conversation;
    ReadConversation(rows[0], &conversation);
    return conversation;
  };
  co_return co_await pool_.Run(kGetConversation, deadline, work);
}

asio::awaitable<absl::StatusOr<std::optional<std::string>>> ConversationRepository::UpdateConversation(
    const v1::UpdateConversationRequest& request, Deadline deadline) {
  const std::string name = CleanText(request.patient_name(), 256);
  const std::function<std::optional<std::string>(DbConnection&)> work = [&](DbConnection& connection) {
    return OptionalId(ExecutePrepared(connection, kUpdateConversation, request.conversation_id(),
                                      request.has_patient_name(), name, std::string(ToText(request.status())),
                                      request.etag()));
  };
  co_return co_await pool_.Run(kUpdateConversation, deadline, work);
}

asio::awaitable<absl::StatusOr<std::vector<v1::Message>>> ConversationRepository::ListMessages(
    const std::string& conversation_id, std::int64_t before_seq, int limit, Deadline deadline) {
  const std::int64_t before = before_seq > 0 ? before_seq : INT64_MAX;
  const std::function<std::vector<v1::Message>(DbConnection&)> work = [&](DbConnection& connection) {
    std::vector<v1::Message> messages;
    for (const pqxx::row row : ExecutePrepared(connection, kListMessages, conversation_id, before, limit)) {
      v1::Message& message = messages.emplace_back();
      message.set_id(row[0].c_str());
      message.set_conversation_id(row[1].c_str());
      if (!row[2].is_null()) message.set_sender(row[2].c_str());
      message.set_text(row[3].c_str(), row[3].size());
      message.set_received(row[4].as<bool>());
      message.set_seq(row[5].as<std::int64_t>());
      message.set_whatsapp_message_id(row[6].c_str());
      *message.mutable_create_time() = TimeFromMicros(row[7].as<std::int64_t>());
      if (!row[8].is_null()) message.set_origin(OriginFromText(row[8].c_str()));
      if (!row[9].is_null()) message.set_part_state(PartStateFromText(row[9].c_str()));
      if (!row[10].is_null()) VerdictFromJson(row[10].c_str(), message.mutable_verdict());
      message.set_staff_id(row[11].c_str());
      message.set_source(row[12].c_str());
      message.set_failure(row[13].c_str());
    }
    return messages;
  };
  co_return co_await pool_.Run(kListMessages, deadline, work);
}

asio::awaitable<absl::StatusOr<std::optional<std::string>>> ConversationRepository::SetTakeover(
    const std::string& conversation_id, bool on, const std::string& staff_id, const std::string& reason,
    const std::string& trace_id, Deadline deadline) {
  const std::function<std::optional<std::string>(DbConnection&)> work = [&](DbConnection& connection) {
    return OptionalId(ExecutePrepared(connection, kSetTakeover, conversation_id, on, staff_id, reason, trace_id));
  };
  co_return co_await pool_.Run(kSetTakeover, deadline, work);
}

asio::awaitable<absl::StatusOr<std::optional<std::string>>> ConversationRepository::Assign(
    const std::string& conversation_id, const std::string& staff_id, Deadline deadline) {
  const std::function<std::optional<std::string>(DbConnection&)> work = [&](DbConnection& connection) {
    return OptionalId(ExecutePrepared(connection, kAssign, conversation_id, staff_id));
  };
  co_return co_await pool_.Run(kAssign, deadline, work);
}

}  // namespace medidesk::store
