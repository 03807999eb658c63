#include "store/device_batch.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/rpc/error_details.h"
#include "store/array_text.h"
#include "store/clean_text.h"
#include "store/number_rows.h"
#include "store/turn_rows.h"

namespace medidesk::store {
namespace {

constexpr Query kCommitBatch = {"commit_batch", ""};  // the transaction as a whole, for its histogram

constexpr Query kBegin = {
    "begin_batch",
    "select refusal, outcome, committed_micros from medidesk.begin_batch($1::uuid, $2::bigint, $3::uuid, "
    "$4::bigint, $5::boolean)"};
constexpr Query kLock = {"lock_batch",
                         "select medidesk.lock_conversations($1::uuid, $2::text[], $3::text[], $4::uuid[])"};
constexpr Query kPut = {
    "put_device_state",
    "insert into medidesk.device_state (number_id, kind, key, sealed, revision) "
    "select $1::uuid, u.kind, u.key, u.sealed, u.revision "
    "from unnest($2::smallint[], $3::text[], $4::bytea[], $5::bigint[]) as u(kind, key, sealed, revision) "
    "on conflict (number_id, kind, key) do update set sealed = excluded.sealed, revision = excluded.revision"};
constexpr Query kDelete = {
    "delete_device_state",
    "delete from medidesk.device_state where number_id = $1::uuid and kind = $2::smallint and key = $3"};
constexpr Query kDeletePrefix = {"delete_device_prefix",
                                 "delete from medidesk.device_state where number_id = $1::uuid and kind = $2::smallint "
                                 "and key >= $3 and starts_with(key, $3)"};
constexpr Query kDeleteAll = {"delete_device_kind",
                              "delete from medidesk.device_state where number_id = $1::uuid and kind = $2::smallint"};
constexpr Query kAcceptWa = {"accept_wa",
                             "select conversation_id, contact_id, status, turn_id, state, skip_reason, route, "
                             "null::bigint, duplicate, reply_id, reply_text, "
                             "reply_origin, '[]', '', verdict, message_id, seq, age, notice_due from "
                             "medidesk.accept_wa($1::uuid, $2::uuid, $3, $4, $5, $6, $7, "
                             "$8, $9, to_timestamp($10::double precision), $11::double precision, $12::boolean, "
                             "nullif($13, '')::jsonb, $14, $15, $16, "
                             "$17::uuid, $18::boolean, $19)"};
constexpr Query kCommitOutbound = {
    "commit_outbound",
    "select outcome, state from medidesk.commit_outbound($1::uuid, $2::uuid, $3::int, $4::int, $5::boolean)"};
constexpr Query kMarkDelivery = {
    "mark_delivery",
    "select state, reply_id from medidesk.mark_delivery($1::uuid, $2, $3, $4, to_timestamp($5::double precision))"};
constexpr Query kSetNumberState = {
    "set_number_state",
    "select medidesk.set_number_state($1::uuid, $2, $3, to_timestamp($4::double precision), $5, "
    "to_timestamp($6::double precision), "
    "$7, $8, $9, $10, $11::boolean, $12::boolean, to_timestamp($13::double precision), $14::boolean)"};
constexpr Query kLearnContact = {
    "learn_contact", "select contact_id, array_to_string(merged, ',') from medidesk.learn_contact($1, $2, $3)"};
constexpr Query kReceived = {
    "number_received",
    "update public.number_states set last_received_at = clock_timestamp() where number_id = $1::uuid"};
constexpr Query kFinish = {
    "finish_batch",
    "update medidesk.device_commits set revision = $2::bigint, commit_id = $3::uuid, outcome = $4, "
    "committed_at = clock_timestamp() where number_id = $1::uuid "
    "returning (extract(epoch from committed_at) * 1000000)::bigint"};

absl::Status Refused(std::string_view refusal) {
  const bool lost = refusal == "lease_lost";
  return rpc::WithReason(
      Error(absl::StatusCode::kFailedPrecondition, lost ? "another gateway owns this number now: stop and reload"
                                                        : "the batch does not follow the last committed one: reload"),
      lost ? "LEASE_LOST" : "REVISION_MISMATCH");
}

// Records between two operations of another kind travel in one statement; of two writes of one
// record the later holds.
class Puts {
 public:
  void Add(const v1::DeviceRecord& record, std::int64_t revision) {
    records_[{static_cast<int>(record.kind()), record.key()}] = {&record.sealed(), revision};
  }
  bool empty() const { return records_.empty(); }

  template <class Execute>
  void Flush(const std::string& number_id, const Execute& execute) {
    if (records_.empty()) return;
    ArrayText kinds, keys, sealed, revisions;
    for (const auto& [name, value] : records_) {
      kinds.Add(std::to_string(name.first));
      keys.Add(name.second);
      sealed.Add(Hex(*value.first));
      revisions.Add(std::to_string(value.second));
    }
    execute(kPut, number_id, kinds.Finish(), keys.Finish(), sealed.Finish(), revisions.Finish());
    records_.clear();
  }

 private:
  static std::string Hex(const std::string& bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text = "\\x";
    text.reserve(2 + 2 * bytes.size());
    for (const unsigned char byte : bytes) {
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    return text;
  }

  std::map<std::pair<int, std::string>, std::pair<const std::string*, std::int64_t>> records_;
};

// One run of one batch inside its transaction.
class Run {
 public:
  Run(DbConnection& connection, const v1::CommitBatchRequest& request, const std::string& trace_id)
      : connection_(connection),
        tx_(connection),
        request_(request),
        trace_id_(trace_id),
        number_(request.number_id()) {}

  absl::StatusOr<v1::CommitBatchResponse> Go() {
    v1::CommitBatchResponse response;
    const pqxx::result begun = Execute(kBegin, number_, request_.lease_token(), request_.commit_id(),
                                       request_.first_revision(), NeedsWholeNumber());
    if (!begun[0][1].is_null()) {
      if (!response.ParseFromString(ReadBytes(begun[0][1]))) {
        return Error(absl::StatusCode::kInternal, "the outcome kept of this commit cannot be read");
      }
      response.set_repeated_commit(true);
      *response.mutable_commit_time() = TimeFromMicros(begun[0][2].as<std::int64_t>());
      return response;
    }
    if (!begun[0][0].is_null()) return Refused(begun[0][0].c_str());

    LockConversations();
    for (int k = 0; k < request_.operations_size(); ++k) {
      MD_RETURN_IF_ERROR(Apply(request_.operations(k), request_.first_revision() + k, response.add_results()));
    }
    Flush();
    if (received_) Execute(kReceived, number_);
    response.set_revision(request_.first_revision() + request_.operations_size() - 1);
    const pqxx::binarystring outcome(response.SerializeAsString());
    const pqxx::result finished = Execute(kFinish, number_, response.revision(), request_.commit_id(), outcome);
    tx_.commit();
    *response.mutable_commit_time() = TimeFromMicros(finished[0][0].as<std::int64_t>());
    return response;
  }

 private:
  template <class... Arguments>
  pqxx::result Execute(const Query& query, const Arguments&... arguments) {
    connection_.prepare(query.name, query.sql);
    return tx_.exec_prepared(query.name, arguments...);
  }
  void Flush() {
    puts_.Flush(number_, [this](const Query& query, const auto&... arguments) { Execute(query, arguments...); });
  }

  // Some reports change the number's own row, which a batch otherwise only shares.
  bool NeedsWholeNumber() const {
    for (const v1::Operation& operation : request_.operations()) {
      const auto& state = operation.set_number_state();
      if (operation.has_set_number_state() && (state.linked() || state.unlinked() || !state.phone().empty()))
        return true;
    }
    return false;
  }

  void LockConversations() {
    ArrayText phones, lids, replies;
    int count = 0;
    for (const v1::Operation& operation : request_.operations()) {
      if (operation.has_accept()) {
        const v1::PhoneContact& contact = operation.accept().contact();
        if (!contact.phone().empty()) phones.Add(contact.phone());
        if (!contact.lid().empty()) lids.Add(contact.lid());
        ++count;
      } else if (operation.has_commit_outbound()) {
        replies.Add(operation.commit_outbound().reply_id());
        ++count;
      }
    }
    // A single operation takes its locks in the right order by itself.
    if (count > 1) Execute(kLock, number_, phones.Finish(), lids.Finish(), replies.Finish());
  }

  absl::Status Apply(const v1::Operation& operation, std::int64_t revision, v1::OperationResult* result) {
    if (operation.has_put_device_state()) {
      puts_.Add(operation.put_device_state().record(), revision);
      return absl::OkStatus();
    }
    Flush();
    switch (operation.operation_case()) {
      case v1::Operation::kDeleteDeviceState:
        Delete(operation.delete_device_state());
        return absl::OkStatus();
      case v1::Operation::kAccept:
        Accept(operation.accept(), result->mutable_accept());
        return absl::OkStatus();
      case v1::Operation::kCommitOutbound:
        CommitOutbound(operation.commit_outbound(), result->mutable_commit_outbound());
        return absl::OkStatus();
      case v1::Operation::kMarkDelivery:
        MarkDelivery(operation.mark_delivery(), result->mutable_mark_delivery());
        return absl::OkStatus();
      case v1::Operation::kSetNumberState:
        return SetNumberState(operation.set_number_state());
      case v1::Operation::kLearnContact:
        LearnContact(operation.learn_contact().contact(), result->mutable_learn_contact());
        return absl::OkStatus();
      default:
        return rpc::InvalidField("operations", "an operation is missing or unknown");
    }
  }

  void Delete(const v1::DeleteDeviceStateOperation& remove) {
    const int kind = remove.kind();
    if (remove.all()) {
      Execute(kDeleteAll, number_, kind);
    } else if (!remove.key_prefix().empty()) {
      Execute(kDeletePrefix, number_, kind, remove.key_prefix());
    } else {
      Execute(kDelete, number_, kind, remove.key());
    }
  }

  void Accept(const v1::AcceptOperation& accept, v1::AcceptResult* result) {
    const bool fixed = accept.has_fixed_reply();
    const v1::Verdict& strongest = accept.has_turn_verdict() ? accept.turn_verdict() : accept.verdict();
    const double offset = static_cast<double>(accept.server_offset().seconds()) + accept.server_offset().nanos() / 1e9;
    const pqxx::result rows =
        Execute(kAcceptWa, accept.message_id(), number_, accept.contact().phone(), accept.contact().lid(),
                CleanText(accept.contact().display_name(), 256), CleanText(accept.whatsapp_message_id(), 256),
                ToText(accept.kind()), CleanText(accept.text()), CleanText(accept.target_whatsapp_message_id(), 256),
                *SecondsText(true, accept.message_time()), offset, accept.from_me(), VerdictToJson(accept.verdict()),
                std::string(fixed ? ToText(accept.fixed_reply().kind()) : std::string_view()),
                fixed ? CleanText(accept.fixed_reply().text()) : std::string(), strongest.family(),
                fixed ? accept.fixed_reply_id().c_str() : nullptr, accept.fixed_reply_sent(),
                accept.trace_id().empty() ? trace_id_ : accept.trace_id());
    const pqxx::row row = rows[0];
    TurnOutcome outcome = ReadTurn(row);
    result->set_message_id(row[15].c_str());
    result->set_seq(row[16].is_null() ? 0 : row[16].as<std::int64_t>());
    result->set_duplicate(outcome.duplicate);
    result->set_conversation_id(outcome.turn.conversation_id());
    result->set_status(outcome.status);
    const std::string_view age = row[17].c_str();
    result->set_age(age == "fresh"  ? v1::MESSAGE_AGE_FRESH
                    : age == "late" ? v1::MESSAGE_AGE_LATE
                                    : v1::MESSAGE_AGE_OLD);
    result->set_stale_notice_due(row[18].as<bool>());
    if (!outcome.reply.id().empty()) *result->mutable_reply() = std::move(outcome.reply);
    const bool silent = outcome.turn.skip_reason() == v1::SKIP_REASON_TAKEOVER && !outcome.duplicate;
    if (!outcome.turn.id().empty() && !silent) *result->mutable_turn() = std::move(outcome.turn);
    if (!accept.from_me() && !result->duplicate()) received_ = true;
  }

  void CommitOutbound(const v1::CommitOutboundOperation& part, v1::CommitOutboundResult* result) {
    const pqxx::result rows =
        Execute(kCommitOutbound, number_, part.reply_id(), part.part(), part.part_count(), part.retry());
    const std::string_view outcome = rows[0][0].c_str();
    result->set_outcome(outcome == "send"        ? v1::OUTBOUND_OUTCOME_SEND
                        : outcome == "discarded" ? v1::OUTBOUND_OUTCOME_DISCARDED
                        : outcome == "done"      ? v1::OUTBOUND_OUTCOME_DONE
                                                 : v1::OUTBOUND_OUTCOME_UNKNOWN_PART);
    if (!rows[0][1].is_null()) result->set_state(PartStateFromText(rows[0][1].c_str()));
  }

  void MarkDelivery(const v1::MarkDeliveryOperation& mark, v1::MarkDeliveryResult* result) {
    std::string state = v1::PartState_Name(mark.state()).substr(std::string_view("PART_STATE_").size());
    for (char& c : state) c = static_cast<char>(c + 32);
    const auto time = SecondsText(mark.has_event_time(), mark.event_time());
    const pqxx::result rows =
        Execute(kMarkDelivery, number_, mark.stanza_id(), state, mark.failure(), time ? time->c_str() : nullptr);
    if (rows[0][0].is_null()) return;
    result->set_state(PartStateFromText(rows[0][0].c_str()));
    result->set_reply_id(rows[0][1].c_str());
  }

  absl::Status SetNumberState(const v1::SetNumberStateOperation& state) {
    const auto retry = SecondsText(state.has_retry_time(), state.retry_time());
    const auto send_end = SecondsText(state.has_send_state_end_time(), state.send_state_end_time());
    const auto seen = SecondsText(state.has_phone_seen_time(), state.phone_seen_time());
    const auto argument = [](const std::optional<std::string>& text) { return text ? text->c_str() : nullptr; };
    const pqxx::result rows = Execute(kSetNumberState, number_, ToText(state.state()), state.state_reason(),
                                      argument(retry), ToText(state.send_state()), argument(send_end), state.phone(),
                                      state.device_jid(), CleanText(state.display_name(), 256), state.platform(),
                                      state.linked(), state.unlinked(), argument(seen), state.needs_attention());
    if (std::string_view(rows[0][0].c_str()).empty()) return absl::OkStatus();
    return rpc::WithReason(
        Error(absl::StatusCode::kFailedPrecondition, "another linked number has this phone; unlink that one first"),
        "PHONE_IN_USE");
  }

  void LearnContact(const v1::PhoneContact& contact, v1::LearnContactResult* result) {
    const pqxx::result rows =
        Execute(kLearnContact, contact.phone(), contact.lid(), CleanText(contact.display_name(), 256));
    result->set_contact_id(rows[0][0].c_str());
    const std::string merged = rows[0][1].c_str();
    for (std::size_t at = 0; at < merged.size();) {
      const std::size_t end = std::min(merged.find(',', at), merged.size());
      result->add_merged_contact_ids(merged.substr(at, end - at));
      at = end + 1;
    }
  }

  DbConnection& connection_;
  pqxx::work tx_;
  const v1::CommitBatchRequest& request_;
  const std::string& trace_id_;
  const std::string& number_;
  Puts puts_;
  bool received_ = false;
};

}  // namespace

asio::awaitable<absl::StatusOr<v1::CommitBatchResponse>> DeviceBatch::Commit(const v1::CommitBatchRequest& request,
                                                                             const std::string& trace_id,
                                                                             DbPool::Clock::time_point deadline) {
  using Outcome = absl::StatusOr<v1::CommitBatchResponse>;
  const std::function<Outcome(DbConnection&)> work = [&](DbConnection& connection) -> Outcome {
    return Run(connection, request, trace_id).Go();
  };
  absl::StatusOr<Outcome> outcome = co_await pool_.Run(kCommitBatch, deadline, work);
  if (!outcome.ok()) co_return outcome.status();
  co_return *std::move(outcome);
}

}  // namespace medidesk::store
