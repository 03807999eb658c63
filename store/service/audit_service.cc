#include "store/service/audit_service.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "store/database_call.h"
#include "store/service/request_checks.h"

namespace medidesk::store {
namespace {

using Clock = DbPool::Clock;

constexpr Query kSealAt = {"audit_seal_at", "select seq, first_position, unsealed from medidesk.seal_at($1::bigint)"};
constexpr Query kVerify = {"audit_verify",
                           "select next_seq, encode(hash, 'hex'), at_position, checked, broken_position, broken_rows, "
                           "(extract(epoch from broken_at) * 1000000)::bigint from medidesk.verify_seals($1::bigint, "
                           "case when $2 = '' then null else decode($2, 'hex') end, $3::bigint)"};
constexpr Query kEventsFrom = {"audit_events_from",
                               "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
                               "(select at < now() - interval '7 days' from public.audit_log where id = $1::bigint)"};
constexpr Query kEvents = {
    "audit_events",
    "select event::text, xid, id from medidesk.events_after($1::bigint, $2::bigint, $3::text[], $4::int)"};
constexpr int kEventPage = 200;
constexpr std::size_t kHashBytes = 32;

std::string ToHex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

// Of what the database wrote.
std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned value = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    bytes += static_cast<char>(value);
  }
  return bytes;
}

struct Start {
  std::int64_t seal = 0, first_position = 0, unsealed = 0;
};

struct Step {
  std::optional<std::int64_t> next_seal;
  std::string hash;  // hex
  std::int64_t position = 0, checked = 0;
  std::int64_t broken_position = 0, broken_rows = 0, broken_micros = 0;  // 0: nothing is broken
};

Step ReadStep(const pqxx::row& row) {
  const auto number = [&](int column) { return row[column].is_null() ? 0 : row[column].as<std::int64_t>(); };
  Step step;
  if (!row[0].is_null()) step.next_seal = number(0);
  step.hash = row[1].c_str();
  step.position = number(2);
  step.checked = number(3);
  step.broken_position = number(4);
  step.broken_rows = number(5);
  step.broken_micros = number(6);
  return step;
}

// "<xid>.<id>"
bool ReadPosition(const std::string& text, std::int64_t* xid, std::int64_t* id) {
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, *xid);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return false;
  const auto second = std::from_chars(first.ptr + 1, end, *id);
  return second.ec == std::errc() && second.ptr == end && *xid >= 0 && *id >= 0;
}

struct EventRow {
  v1::Event event;
  std::int64_t xid = 0, id = 0;
};

}  // namespace

AuditService::AuditService(rpc::Dispatcher& dispatcher, DbPool& pool, Options options)
    : dispatcher_(dispatcher), pool_(pool), options_(options) {}

AuditService::~AuditService() = default;

asio::awaitable<absl::StatusOr<v1::ListAuditRecordsResponse>> AuditService::ListAuditRecords(
    const rpc::Call& call, const v1::ListAuditRecordsRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_CO_RETURN_IF_ERROR(CheckPageSize(request.page_size(), 500));
  MD_CO_RETURN_IF_ERROR(CheckTimeRange("time_range", request.time_range()));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("actor_id", request.actor_id()));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("contact_id", request.contact_id()));
  MD_CO_RETURN_IF_ERROR(CheckLength("resource_id", request.resource_id(), 200));
  if (!v1::AuditAction_IsValid(request.action())) co_return rpc::InvalidField("action", "expected a known action");
  if (!v1::ResourceKind_IsValid(request.resource())) co_return rpc::InvalidField("resource", "expected a known kind");
  if (!request.trace_id().empty() && (request.trace_id().size() != 32 ||
                                      request.trace_id().find_first_not_of("0123456789abcdef") != std::string::npos)) {
    co_return rpc::InvalidField("trace_id", "expected 32 lower-case hex digits");
  }
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::ListAuditRecordsResponse>(pool_, MD_FUNCTION("list_audit_records"),
                                                                DeadlineOf(call), std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::AppendReadEventResponse>> AuditService::AppendReadEvent(
    const rpc::Call& call, const v1::AppendReadEventRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  if (request.actor().kind() == v1::ACTOR_KIND_SERVICE && call.principal.kind != rpc::Principal::Kind::kToken) {
    co_return rpc::InvalidField("actor.kind", "expected staff, a token or the operator");
  }
  if (request.resource() == v1::RESOURCE_KIND_UNSPECIFIED || !v1::ResourceKind_IsValid(request.resource())) {
    co_return rpc::InvalidField("resource", "expected a known kind");
  }
  if (request.resource_ids_size() > 1000) co_return rpc::InvalidField("resource_ids", "at most 1,000");
  for (const std::string& id : request.resource_ids()) {
    const bool plain = !id.empty() && id.size() <= 200 && id.find('|') == std::string::npos;
    if (!plain) co_return rpc::InvalidField("resource_ids", "expected ids or keys of 1 to 200 characters");
  }
  MD_CO_RETURN_IF_ERROR(CheckCode("purpose", request.purpose(), 64));
  if (request.action() != v1::AUDIT_ACTION_UNSPECIFIED && request.action() != v1::AUDIT_ACTION_READ &&
      request.action() != v1::AUDIT_ACTION_EXPORT) {
    co_return rpc::InvalidField("action", "expected READ or EXPORT");
  }
  if (request.outcome() != v1::AUDIT_OUTCOME_UNSPECIFIED && request.outcome() != v1::AUDIT_OUTCOME_SUCCESS &&
      request.outcome() != v1::AUDIT_OUTCOME_DENIED) {
    co_return rpc::InvalidField("outcome", "expected SUCCESS or DENIED");
  }
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::AppendReadEventResponse>(pool_, MD_FUNCTION("append_read_event"),
                                                               DeadlineOf(call), std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::Status> AuditService::VerifyAudit(const rpc::Call&, const v1::VerifyAuditRequest& request,
                                                        rpc::StreamWriter<v1::VerifyAuditResponse>& writer) {
  const std::int64_t from = std::max<std::int64_t>(request.start_sequence(), 1);
  if (request.start_sequence() < 0) co_return rpc::InvalidField("start_sequence", "expected 0 or a position");
  const std::string& expected = request.expected_previous_hash();
  if (!expected.empty() && (expected.size() != kHashBytes || from == 1)) {
    co_return rpc::InvalidField("expected_previous_hash", "expected 32 bytes, and a start_sequence above 1");
  }
  const auto soon = [] { return Clock::now() + std::chrono::seconds(30); };
  const std::function<Start(DbConnection&)> find = [&](DbConnection& connection) {
    const pqxx::result rows = ExecutePrepared(connection, kSealAt, from);
    return Start{rows.at(0)[0].as<std::int64_t>(), rows[0][1].as<std::int64_t>(), rows[0][2].as<std::int64_t>()};
  };
  MD_ASSIGN_OR_CO_RETURN(const Start start, co_await pool_.Run(kSealAt, soon(), find));
  if (!expected.empty() && start.first_position != from) {
    co_return rpc::InvalidField("start_sequence", "with a hash: one more than the last_sequence it belongs to");
  }

  v1::VerifyAuditResponse progress;
  std::int64_t seal = start.seal, checked = 0;
  std::string previous = ToHex(expected);  // of the first step; later ones carry on with what was recomputed
  Step step;
  while (true) {
    const std::function<Step(DbConnection&)> work = [&](DbConnection& connection) {
      return ReadStep(ExecutePrepared(connection, kVerify, seal, previous, options_.verify_rows).at(0));
    };
    MD_ASSIGN_OR_CO_RETURN(step, co_await pool_.Run(kVerify, soon(), work));
    checked += step.checked;
    if (!step.next_seal) break;
    seal = *step.next_seal;
    previous = step.hash;
    progress.set_checked_count(checked);
    v1::VerifyAuditResponse copy = progress;
    if (!co_await writer.Write(std::move(copy))) co_return absl::OkStatus();
  }
  progress.set_checked_count(checked);
  progress.set_done(true);
  progress.set_valid(step.broken_position == 0);
  progress.set_first_bad_sequence(step.broken_position);
  if (step.broken_position != 0) {
    progress.set_bad_count(step.broken_rows);
    progress.mutable_bad_seal_time()->set_seconds(step.broken_micros / 1'000'000);
  }
  progress.set_unsealed_count(start.unsealed);
  progress.set_last_sequence(step.position);
  progress.set_last_chain_hash(FromHex(step.hash));
  co_await writer.Write(std::move(progress));
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> AuditService::WatchEvents(const rpc::Call&, const v1::WatchEventsRequest& request,
                                                        rpc::StreamWriter<v1::WatchEventsResponse>& writer) {
  constexpr std::size_t kPrefix = sizeof("RESOURCE_KIND_") - 1;
  std::string resources = "{";
  for (const int resource : request.resources()) {
    if (resource == v1::RESOURCE_KIND_UNSPECIFIED || !v1::ResourceKind_IsValid(resource) || resources.size() > 500) {
      co_return rpc::InvalidField("resources", "expected known kinds, each once");
    }
    if (resources.size() > 1) resources += ',';
    for (const char c : v1::ResourceKind_Name(static_cast<v1::ResourceKind>(resource)).substr(kPrefix)) {
      resources += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  resources += '}';
  std::int64_t xid = 0, id = 0;
  if (!request.after_position().empty() && !ReadPosition(request.after_position(), &xid, &id)) {
    co_return rpc::InvalidField("after_position", "expected a position that was streamed before");
  }
  const auto soon = [] { return Clock::now() + std::chrono::seconds(5); };
  bool too_old = false;
  const std::function<std::int64_t(DbConnection&)> begin = [&](DbConnection& connection) {
    const pqxx::result rows = ExecutePrepared(connection, kEventsFrom, id);
    too_old = !rows.at(0)[1].is_null() && rows[0][1].as<bool>();
    return rows[0][0].as<std::int64_t>();
  };
  MD_ASSIGN_OR_CO_RETURN(const std::int64_t horizon, co_await pool_.Run(kEventsFrom, soon(), begin));
  if (too_old) {
    co_return Error(absl::StatusCode::kOutOfRange, "the position is older than 7 days: read the tables and start anew");
  }
  if (request.after_position().empty()) xid = horizon;

  auto last_word = Clock::now();
  while (true) {
    const std::function<std::vector<EventRow>(DbConnection&)> work = [&](DbConnection& connection) {
      std::vector<EventRow> rows;
      for (const pqxx::row row : ExecutePrepared(connection, kEvents, xid, id, resources, kEventPage)) {
        EventRow& event = rows.emplace_back();
        event.xid = row[1].as<std::int64_t>();
        event.id = row[2].as<std::int64_t>();
        if (!ReadAnswer(row[0].c_str(), &event.event).ok()) event.event.Clear();
      }
      return rows;
    };
    MD_ASSIGN_OR_CO_RETURN(std::vector<EventRow> rows, co_await pool_.Run(kEvents, soon(), work));
    for (EventRow& row : rows) {
      xid = row.xid;
      id = row.id;
      if (row.event.id().empty()) continue;
      v1::WatchEventsResponse response;
      *response.mutable_event() = std::move(row.event);
      response.set_position(fmt::format("{}.{}", xid, id));
      if (!co_await writer.Write(std::move(response))) co_return absl::OkStatus();
      last_word = Clock::now();
    }
    if (rows.size() == static_cast<std::size_t>(kEventPage)) continue;
    if (Clock::now() - last_word >= options_.silence) {
      v1::WatchEventsResponse response;
      response.set_position(fmt::format("{}.{}", xid, id));
      if (!co_await writer.Write(std::move(response))) co_return absl::OkStatus();
      last_word = Clock::now();
    }
    asio::steady_timer timer(co_await asio::this_coro::executor, options_.event_poll);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

}  // namespace medidesk::store
