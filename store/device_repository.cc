#include "store/device_repository.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/rpc/error_details.h"
#include "store/array_text.h"
#include "store/number_rows.h"
#include "store/turn_rows.h"

namespace medidesk::store {
namespace {

constexpr std::size_t kMaxLoadBytes = 3u << 20;

constexpr Query kHeartbeat = {
    "heartbeat",
    "select alone, (extract(epoch from now_at) * 1000000)::bigint from medidesk.heartbeat("
    "$1::uuid, $2, $3, $4, $5::int, $6::bigint, $7::boolean, $8::double precision, $9::double precision)"};
constexpr Query kHeldLeases = {
    "held_leases",
    "select id, lease_token, not enabled from public.numbers where lease_instance = $1::uuid order by id"};
constexpr Query kAcquire = {"acquire_numbers",
                            "select medidesk.acquire_numbers($1::uuid, $2, $3::int, $4::boolean)::text"};
constexpr Query kTake = {"take_lease",
                         "select refusal, owner_address from medidesk.take_lease($1::uuid, $2, $3::uuid, $4::boolean)"};
constexpr Query kRelease = {
    "release_lease",
    "update public.numbers set lease_instance = null, lease_freed_at = clock_timestamp() "
    "where id = $1::uuid and lease_token = $2::bigint and lease_instance is not null returning id"};
constexpr Query kReadLeases = {
    "read_leases", "select " MD_NUMBER_COLUMNS MD_FROM_NUMBERS "where n.id = any ($1::uuid[]) order by n.name"};
constexpr Query kListNumbers = {"list_numbers",
                                "select " MD_NUMBER_COLUMNS MD_FROM_NUMBERS
                                "where n.name > $1 and n.adopted_by is null and (n.enabled or not $2::boolean) "
                                "order by n.name limit $3::int"};
constexpr Query kGetNumber = {"get_number", "select " MD_NUMBER_COLUMNS MD_FROM_NUMBERS "where n.id = $1::uuid"};
constexpr Query kGetNumberByName = {"get_number_by_name",
                                    "select " MD_NUMBER_COLUMNS MD_FROM_NUMBERS "where n.name = $1"};
constexpr Query kUpsertNumber = {
    "upsert_number",
    "select refusal, number_id from medidesk.upsert_number($1::uuid, $2::uuid, $3, $4, $5, "
    "$6::boolean, $7::boolean, $8::boolean, $9, $10)"};
constexpr Query kLoadRevision = {
    "load_revision",
    "select d.revision from public.numbers n left join medidesk.device_commits d on d.number_id = n.id "
    "where n.id = $1::uuid and ($2::bigint = 0 or (n.lease_token = $2::bigint and n.lease_instance is not null))"};
constexpr Query kNumberExists = {"number_exists", "select 1 from public.numbers where id = $1::uuid"};
// Sizes first: what does not fit is not read.
constexpr Query kLoadNamed = {
    "load_named",
    "with wanted as (select u.kind, u.key, u.n, length(s.sealed) as size from unnest($2::smallint[], $3::text[]) with "
    "ordinality "
    "as u(kind, key, n) join medidesk.device_state s on s.number_id = $1::uuid and s.kind = u.kind and s.key = u.key), "
    "fits as (select coalesce(sum(size), 0) <= $4::bigint as ok from wanted) "
    "select f.ok, s.kind, s.key, s.sealed, s.revision from fits f left join wanted w on f.ok "
    "left join medidesk.device_state s on s.number_id = $1::uuid and s.kind = w.kind and s.key = w.key order by w.n"};
constexpr Query kLoadPage = {
    "load_page",
    "select s.kind, s.key, s.sealed, s.revision from (select x.key, sum(length(x.sealed)) over (order by x.key) as "
    "bytes, "
    "row_number() over (order by x.key) as n from (select y.key, y.sealed from medidesk.device_state y where "
    "y.number_id = $1::uuid "
    "and y.kind = $2::smallint and y.key > $3 order by y.key limit $4::int) x) p "
    "join medidesk.device_state s on s.number_id = $1::uuid and s.kind = $2::smallint and s.key = p.key "
    "where p.n = 1 or p.bytes <= $5::bigint order by s.key"};

template <class... Arguments>
pqxx::result Execute(DbConnection& connection, const Query& query, const Arguments&... arguments) {
  connection.prepare(query.name, query.sql);
  pqxx::nontransaction session(connection);
  return session.exec_prepared(query.name, arguments...);
}

absl::Status Refused(std::string_view text, std::string_view reason,
                     const std::map<std::string, std::string>& metadata = {}) {
  return rpc::WithReason(Error(absl::StatusCode::kFailedPrecondition, text), reason, metadata);
}
absl::Status NoHeartbeat() { return Refused("this gateway has no living heartbeat; send one first", "NO_HEARTBEAT"); }
absl::Status NoNumber() { return Error(absl::StatusCode::kNotFound, "no such number"); }

std::string Seconds(std::chrono::milliseconds time) {
  return fmt::format("{}", std::chrono::duration<double>(time).count());
}

// A StatusOr that a job gave, or why it did not run.
template <class T>
absl::StatusOr<T> Flat(absl::StatusOr<absl::StatusOr<T>> result) {
  if (!result.ok()) return result.status();
  return *std::move(result);
}

std::string ActorText(const v1::Actor& actor) {
  switch (actor.kind()) {
    case v1::ACTOR_KIND_OPERATOR:
      return "operator";
    case v1::ACTOR_KIND_TOKEN:
      return "token:" + actor.id();
    default:
      return actor.id();
  }
}

v1::DeviceRecord ReadRecord(const pqxx::row& row, int first) {
  v1::DeviceRecord record;
  record.set_kind(static_cast<v1::DeviceStateKind>(row[first].as<int>()));
  record.set_key(row[first + 1].c_str(), row[first + 1].size());
  record.set_sealed(ReadBytes(row[first + 2]));
  record.set_revision(row[first + 3].as<std::int64_t>());
  return record;
}

}  // namespace

std::string DeviceRepository::LeaseSeconds() const { return Seconds(options_.lease); }
std::string DeviceRepository::AloneSeconds() const { return Seconds(options_.alone_lease); }

asio::awaitable<absl::StatusOr<v1::HeartbeatResponse>> DeviceRepository::Heartbeat(const v1::HeartbeatRequest& request,
                                                                                   Deadline deadline) {
  const std::function<v1::HeartbeatResponse(DbConnection&)> work = [&](DbConnection& connection) {
    const pqxx::result beat = Execute(connection, kHeartbeat, request.instance_id(), request.gateway_id(),
                                      request.address(), request.version(), request.free_capacity(), request.sequence(),
                                      request.alone_known(), LeaseSeconds(), AloneSeconds());
    v1::HeartbeatResponse response;
    response.set_alone(beat[0][0].as<bool>());
    *response.mutable_now_time() = TimeFromMicros(beat[0][1].as<std::int64_t>());
    // After the heartbeat, so that a number taken while it waited is missing here.
    for (const pqxx::row row : Execute(connection, kHeldLeases, request.instance_id())) {
      v1::HeldLease* lease = response.add_leases();
      lease->set_number_id(row[0].c_str());
      lease->set_lease_token(row[1].as<std::int64_t>());
      lease->set_release_wanted(row[2].as<bool>());
    }
    return response;
  };
  co_return co_await pool_.Run(kHeartbeat, deadline, work);
}

std::vector<v1::Lease> DeviceRepository::ReadLeases(DbConnection& connection, const std::string& ids) const {
  std::vector<v1::Lease> leases;
  for (const pqxx::row row : Execute(connection, kReadLeases, ids)) {
    v1::Lease& lease = leases.emplace_back();
    ReadNumber(row, lease.mutable_number());
    lease.set_lease_token(row[kLeaseTokenColumn].as<std::int64_t>());
    lease.set_revision(row[kRevisionColumn].as<std::int64_t>());
    lease.mutable_ttl()->set_seconds(options_.lease.count() / 1000);
    lease.mutable_ttl()->set_nanos(static_cast<int>(options_.lease.count() % 1000) * 1'000'000);
  }
  return leases;
}

asio::awaitable<absl::StatusOr<v1::AcquireNumbersResponse>> DeviceRepository::Acquire(
    const v1::AcquireNumbersRequest& request, Deadline deadline) {
  const std::function<absl::StatusOr<v1::AcquireNumbersResponse>(DbConnection&)> work =
      [&](DbConnection& connection) -> absl::StatusOr<v1::AcquireNumbersResponse> {
    const pqxx::result taken = Execute(connection, kAcquire, request.instance_id(), request.gateway_id(),
                                       request.max_numbers(), request.lock_held());
    if (taken[0][0].is_null()) return NoHeartbeat();
    v1::AcquireNumbersResponse response;
    const std::string ids = taken[0][0].c_str();
    if (ids == "{}") return response;
    for (v1::Lease& lease : ReadLeases(connection, ids)) *response.add_leases() = std::move(lease);
    return response;
  };
  co_return Flat(co_await pool_.Run(kAcquire, deadline, work));
}

asio::awaitable<absl::StatusOr<v1::TakeLeaseResponse>> DeviceRepository::Take(const v1::TakeLeaseRequest& request,
                                                                              Deadline deadline) {
  const std::function<absl::StatusOr<v1::TakeLeaseResponse>(DbConnection&)> work =
      [&](DbConnection& connection) -> absl::StatusOr<v1::TakeLeaseResponse> {
    const pqxx::result rows = Execute(connection, kTake, request.instance_id(), request.gateway_id(),
                                      request.number_id(), request.lock_held());
    if (!rows[0][0].is_null()) {
      const std::string_view refusal = rows[0][0].c_str();
      if (refusal == "no_heartbeat") return NoHeartbeat();
      if (refusal == "not_found") return NoNumber();
      return Refused("another gateway holds this number; stop it or wait until its lease ends", "LEASE_HELD",
                     {{"owner_address", rows[0][1].is_null() ? "" : rows[0][1].c_str()}});
    }
    v1::TakeLeaseResponse response;
    std::vector<v1::Lease> leases = ReadLeases(connection, fmt::format("{{{}}}", request.number_id()));
    if (leases.empty()) return NoNumber();
    *response.mutable_lease() = std::move(leases.front());
    return response;
  };
  co_return Flat(co_await pool_.Run(kTake, deadline, work));
}

asio::awaitable<absl::StatusOr<bool>> DeviceRepository::Release(const v1::ReleaseLeaseRequest& request,
                                                                Deadline deadline) {
  const std::function<bool(DbConnection&)> work = [&](DbConnection& connection) {
    return !Execute(connection, kRelease, request.number_id(), request.lease_token()).empty();
  };
  co_return co_await pool_.Run(kRelease, deadline, work);
}

asio::awaitable<absl::StatusOr<std::vector<v1::Number>>> DeviceRepository::List(const std::string& after_name,
                                                                                bool enabled_only, int limit,
                                                                                Deadline deadline) {
  const std::function<std::vector<v1::Number>(DbConnection&)> work = [&](DbConnection& connection) {
    std::vector<v1::Number> numbers;
    for (const pqxx::row row : Execute(connection, kListNumbers, after_name, enabled_only, limit))
      ReadNumber(row, &numbers.emplace_back());
    return numbers;
  };
  co_return co_await pool_.Run(kListNumbers, deadline, work);
}

asio::awaitable<absl::StatusOr<v1::Number>> DeviceRepository::Get(const std::string& id, const std::string& name,
                                                                  Deadline deadline) {
  const std::function<absl::StatusOr<v1::Number>(DbConnection&)> work =
      [&](DbConnection& connection) -> absl::StatusOr<v1::Number> {
    const pqxx::result rows =
        id.empty() ? Execute(connection, kGetNumberByName, name) : Execute(connection, kGetNumber, id);
    if (rows.empty()) return NoNumber();
    v1::Number number;
    ReadNumber(rows[0], &number);
    return number;
  };
  co_return Flat(co_await pool_.Run(kGetNumber, deadline, work));
}

asio::awaitable<absl::StatusOr<v1::Number>> DeviceRepository::Upsert(const v1::UpsertNumberRequest& request,
                                                                     const std::string& trace_id, Deadline deadline) {
  const auto named = [&](std::string_view path) {
    const auto& paths = request.update_mask().paths();
    return std::find(paths.begin(), paths.end(), path) != paths.end();
  };
  const v1::Number& number = request.number();
  const bool made = number.id().empty();
  using Text = std::optional<std::string>;
  const auto flag = [&](std::string_view path, bool value) {
    return named(path) ? Text(value ? "true" : "false") : Text();
  };
  const Text id = made ? Text() : Text(number.id());
  const Text name = made || named("name") ? Text(number.name()) : Text();
  const Text phone = named("phone") || (made && !number.phone().empty()) ? Text(number.phone()) : Text();
  const Text enabled = flag("enabled", number.enabled()), bot = flag("bot_enabled", number.bot_enabled());
  const Text replies = flag("phone_auto_replies", number.phone_auto_replies());
  const std::string actor = ActorText(request.actor());
  const std::function<absl::StatusOr<v1::Number>(DbConnection&)> work =
      [&](DbConnection& connection) -> absl::StatusOr<v1::Number> {
    const auto argument = [](const Text& text) { return text ? text->c_str() : nullptr; };
    const pqxx::result rows =
        Execute(connection, kUpsertNumber, request.commit_id(), argument(id), number.etag(), argument(name),
                argument(phone), argument(enabled), argument(bot), argument(replies), actor, trace_id);
    if (!rows[0][0].is_null()) {
      const std::string_view refusal = rows[0][0].c_str();
      if (refusal == "not_found") return NoNumber();
      if (refusal == "etag")
        return Error(absl::StatusCode::kAborted, "the number was changed meanwhile; read it again");
      if (refusal == "linked")
        return Refused("the phone of a linked number comes from WhatsApp; unlink it first", "NUMBER_LINKED");
      if (refusal == "phone_taken") return Error(absl::StatusCode::kAlreadyExists, "another number has this phone");
      return Error(absl::StatusCode::kAlreadyExists, "a number of this name exists");
    }
    const pqxx::result now = Execute(connection, kGetNumber, std::string(rows[0][1].c_str()));
    if (now.empty()) return NoNumber();
    v1::Number changed;
    ReadNumber(now[0], &changed);
    return changed;
  };
  co_return Flat(co_await pool_.Run(kUpsertNumber, deadline, work));
}

asio::awaitable<absl::StatusOr<DeviceRepository::Numbers>> DeviceRepository::All(std::chrono::milliseconds age,
                                                                                 Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (all_ != nullptr && DbPool::Clock::now() - all_time_ < age) co_return all_;
  }
  const auto time = DbPool::Clock::now();
  MD_ASSIGN_OR_CO_RETURN(std::vector<v1::Number> numbers, co_await List("", /*enabled_only=*/false, 20'000, deadline));
  auto all = std::make_shared<const std::vector<v1::Number>>(std::move(numbers));
  const std::lock_guard lock(mutex_);
  if (all_ == nullptr || all_time_ < time) {
    all_ = std::move(all);
    all_time_ = time;
  }
  co_return all_;
}

asio::awaitable<absl::StatusOr<v1::LoadDeviceStateResponse>> DeviceRepository::Load(
    const v1::LoadDeviceStateRequest& request, Deadline deadline) {
  ArrayText kinds, keys;
  for (const v1::DeviceRecordName& name : request.names()) {
    kinds.Add(std::to_string(static_cast<int>(name.kind())));
    keys.Add(name.key());
  }
  const std::string kind_array = kinds.Finish(), key_array = keys.Finish();
  const int limit = request.page_size() == 0 ? 200 : request.page_size();
  const std::function<absl::StatusOr<v1::LoadDeviceStateResponse>(DbConnection&)> work =
      [&](DbConnection& connection) -> absl::StatusOr<v1::LoadDeviceStateResponse> {
    v1::LoadDeviceStateResponse response;
    // The revision before the records: what is newer than it shows a revision of its own.
    const pqxx::result revision = Execute(connection, kLoadRevision, request.number_id(), request.lease_token());
    if (revision.empty()) {
      if (Execute(connection, kNumberExists, request.number_id()).empty()) return NoNumber();
      return Refused("another gateway owns this number now: stop and reload", "LEASE_LOST");
    }
    response.set_revision(revision[0][0].is_null() ? 0 : revision[0][0].as<std::int64_t>());
    if (request.names_size() > 0) {
      const pqxx::result rows = Execute(connection, kLoadNamed, request.number_id(), kind_array, key_array,
                                        static_cast<std::int64_t>(kMaxLoadBytes));
      if (!rows[0][0].as<bool>()) {
        return Error(absl::StatusCode::kOutOfRange, "the named records are above 3 MiB together: ask for fewer");
      }
      for (const pqxx::row row : rows) {
        if (!row[1].is_null()) *response.add_records() = ReadRecord(row, 1);
      }
      return response;
    }
    const pqxx::result rows = Execute(connection, kLoadPage, request.number_id(), static_cast<int>(request.kind()),
                                      request.page_token(), limit, static_cast<std::int64_t>(kMaxLoadBytes));
    for (const pqxx::row row : rows) *response.add_records() = ReadRecord(row, 0);
    // A full page, or one that its size ended, may have a successor.
    if (!rows.empty()) {
      std::size_t bytes = 0;
      for (const v1::DeviceRecord& record : response.records()) bytes += record.sealed().size();
      const bool cut = static_cast<int>(rows.size()) == limit || bytes + (512u << 10) > kMaxLoadBytes;
      if (cut) response.set_next_page_token(response.records(response.records_size() - 1).key());
    }
    return response;
  };
  co_return Flat(co_await pool_.Run(kLoadPage, deadline, work));
}

}  // namespace medidesk::store
