#include "store/access_repository.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>

#include "base/rpc/token_check.h"
#include "store/turn_rows.h"

namespace medidesk::store {
namespace {

#define MD_MICROS(column) "(extract(epoch from " column ") * 1000000)::bigint"
#define MD_TOKEN_COLUMNS(t)                                                                                          \
  t ".id, " t ".name, array_to_string(" t ".scopes, ','), " t ".prefix, " MD_MICROS(t ".created_at") ", " MD_MICROS( \
      t ".expires_at") ", " MD_MICROS(t ".last_used_at") ", " MD_MICROS(t ".revoked_at")
constexpr int kTokenColumns = 8;

constexpr Query kCreateToken = {
    "create_token",
    "select " MD_TOKEN_COLUMNS("(token)") ", refusal, made from medidesk.create_token($1::uuid, $2::uuid, $3, "
    "string_to_array($4, ','), decode($5, 'hex'), $6, to_timestamp($7::bigint / 1000000.0), $8, $9)"};
constexpr Query kListTokens = {
    "list_tokens",
    "select " MD_TOKEN_COLUMNS("t") " from public.tokens t "
    "where ($1::boolean or (t.revoked_at is null and (t.expires_at is null or t.expires_at > clock_timestamp()))) "
    "and (t.created_at, t.id) < (case when $2::bigint = 0 then 'infinity' else "
    "'epoch'::timestamptz + $2::bigint * interval '1 microsecond' end, $3::uuid) "
    "order by t.created_at desc, t.id desc limit $4::int"};
constexpr Query kRevokeToken = {"revoke_token",
                                "select " MD_TOKEN_COLUMNS("t") " from medidesk.revoke_token($1::uuid, $2, $3) t"};
constexpr Query kCheckToken = {
    "check_token",
    "select " MD_TOKEN_COLUMNS("(token)") ", encode((token).hash, 'hex'), amount, period_ms, burst "
    "from medidesk.check_token(decode($1, 'hex'))"};
constexpr Query kListLimits = {
    "list_limits",
    "select kind, subject, subject_id, amount, period_ms, burst from medidesk.limits where $1 = '' or kind = $1 "
    "order by array_position(array['requests', 'turns', 'sends', 'spend'], kind), "
    "array_position(array['hospital', 'contact', 'number', 'token', 'address'], subject), subject_id "
    "offset $2::int limit $3::int"};
constexpr Query kSetLimit = {
    "set_limit", "select medidesk.set_limit($1::uuid, $2, $3, $4, $5::bigint, $6::bigint, $7::bigint, $8, $9)::text"};
constexpr Query kConsumeLimit = {
    "consume_limit", "select medidesk.consume_limit($1::uuid, $2, $3::bigint, $4, $5, $6, $7::boolean)::text"};

constexpr std::array<std::string_view, 5> kKinds = {"", "requests", "turns", "sends", "spend"};
constexpr std::array<std::string_view, 6> kSubjects = {"", "hospital", "contact", "number", "token", "address"};

template <std::size_t N>
std::string ToWord(const std::array<std::string_view, N>& words, int value) {
  return value > 0 && value < static_cast<int>(N) ? std::string(words[static_cast<std::size_t>(value)]) : "";
}
template <std::size_t N>
int FromWord(const std::array<std::string_view, N>& words, std::string_view word) {
  const auto found = std::find(words.begin(), words.end(), word);
  return found == words.end() ? 0 : static_cast<int>(found - words.begin());
}

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

v1::Token ReadToken(const pqxx::row& row) {
  v1::Token token;
  token.set_id(row[0].c_str());
  token.set_name(row[1].c_str());
  std::string_view scopes = row[2].c_str();
  while (!scopes.empty()) {
    const std::size_t end = std::min(scopes.find(','), scopes.size());
    token.add_scopes(rpc::ScopeFromName(scopes.substr(0, end)));
    scopes.remove_prefix(std::min(end + 1, scopes.size()));
  }
  token.set_prefix(row[3].c_str());
  *token.mutable_create_time() = TimeFromMicros(row[4].as<std::int64_t>());
  if (!row[5].is_null()) *token.mutable_expire_time() = TimeFromMicros(row[5].as<std::int64_t>());
  if (!row[6].is_null()) *token.mutable_last_use_time() = TimeFromMicros(row[6].as<std::int64_t>());
  if (!row[7].is_null()) *token.mutable_revoke_time() = TimeFromMicros(row[7].as<std::int64_t>());
  return token;
}

void SetPeriod(std::int64_t milliseconds, google::protobuf::Duration* period) {
  period->set_seconds(milliseconds / 1000);
  period->set_nanos(static_cast<int>(milliseconds % 1000) * 1'000'000);
}

v1::Limit MakeLimit(std::string_view kind, std::string_view subject, std::string_view subject_id, std::int64_t amount,
                    std::int64_t period_ms, std::int64_t burst) {
  v1::Limit limit;
  limit.set_kind(static_cast<v1::LimitKind>(FromWord(kKinds, kind)));
  limit.set_subject(static_cast<v1::LimitSubject>(FromWord(kSubjects, subject)));
  limit.set_subject_id(std::string(subject_id));
  limit.set_amount(amount);
  SetPeriod(period_ms, limit.mutable_period());
  limit.set_burst(burst);
  return limit;
}

// What our own functions made; anything else is a fault and ends in the pool's INTERNAL.
v1::Limit LimitFromJson(const boost::json::object& json) {
  const auto text = [&](const char* key) { return std::string_view(json.at(key).as_string().c_str()); };
  return MakeLimit(text("kind"), text("subject"), text("subject_id"), json.at("amount").to_number<std::int64_t>(),
                   json.at("period_ms").to_number<std::int64_t>(), json.at("burst").to_number<std::int64_t>());
}

std::int64_t Milliseconds(const google::protobuf::Duration& period) {
  return period.seconds() * 1000 + period.nanos() / 1'000'000;
}

}  // namespace

asio::awaitable<absl::StatusOr<std::optional<AccessRepository::CreateOutcome>>> AccessRepository::CreateToken(
    NewToken token, Deadline deadline) {
  using Outcome = std::optional<CreateOutcome>;
  const std::string scopes = fmt::format("{}", fmt::join(token.scopes, ","));
  const std::string hash = Hex(token.hash);
  const std::function<Outcome(DbConnection&)> work = [&](DbConnection& connection) -> Outcome {
    const pqxx::result rows = ExecutePrepared(connection, kCreateToken, token.id, token.commit_id, token.name, scopes,
                                              hash, token.prefix, token.expire_micros, token.actor, token.trace_id);
    const pqxx::row row = rows.at(0);
    if (*row[kTokenColumns].c_str() != '\0') return std::nullopt;
    CreateOutcome outcome;
    outcome.token = ReadToken(row);
    outcome.made = row[kTokenColumns + 1].as<bool>();
    return outcome;
  };
  co_return co_await pool_.Run(kCreateToken, deadline, work);
}

asio::awaitable<absl::StatusOr<std::vector<v1::Token>>> AccessRepository::ListTokens(bool include_dead,
                                                                                     std::int64_t before_micros,
                                                                                     std::string before_id, int limit,
                                                                                     Deadline deadline) {
  const std::function<std::vector<v1::Token>(DbConnection&)> work = [&](DbConnection& connection) {
    std::vector<v1::Token> tokens;
    for (const pqxx::row& row :
         ExecutePrepared(connection, kListTokens, include_dead, before_micros, before_id, limit)) {
      tokens.push_back(ReadToken(row));
    }
    return tokens;
  };
  co_return co_await pool_.Run(kListTokens, deadline, work);
}

asio::awaitable<absl::StatusOr<std::optional<v1::Token>>> AccessRepository::RevokeToken(std::string id,
                                                                                        std::string actor,
                                                                                        std::string trace_id,
                                                                                        Deadline deadline) {
  using Outcome = std::optional<v1::Token>;
  const std::function<Outcome(DbConnection&)> work = [&](DbConnection& connection) -> Outcome {
    const pqxx::result rows = ExecutePrepared(connection, kRevokeToken, id, actor, trace_id);
    if (rows.empty()) return std::nullopt;
    return ReadToken(rows[0]);
  };
  co_return co_await pool_.Run(kRevokeToken, deadline, work);
}

asio::awaitable<absl::StatusOr<std::optional<AccessRepository::LiveToken>>> AccessRepository::CheckToken(
    std::string hash, Deadline deadline) {
  using Outcome = std::optional<LiveToken>;
  const std::string hex = Hex(hash);
  const std::function<Outcome(DbConnection&)> work = [&](DbConnection& connection) -> Outcome {
    const pqxx::result rows = ExecutePrepared(connection, kCheckToken, hex);
    if (rows.empty()) return std::nullopt;
    const pqxx::row row = rows[0];
    LiveToken live;
    live.token = ReadToken(row);
    live.hash = row[kTokenColumns].c_str();
    if (!row[kTokenColumns + 1].is_null()) {
      live.request_limit =
          MakeLimit("requests", "token", live.token.id(), row[kTokenColumns + 1].as<std::int64_t>(),
                    row[kTokenColumns + 2].as<std::int64_t>(), row[kTokenColumns + 3].as<std::int64_t>());
    }
    return live;
  };
  auto live = co_await pool_.Run(kCheckToken, deadline, work);
  // The index has compared the hash; this comparison takes the same time whatever differs.
  if (live.ok() && *live &&
      (live->value().hash.size() != hex.size() ||
       CRYPTO_memcmp(live->value().hash.data(), hex.data(), hex.size()) != 0)) {
    co_return Outcome();
  }
  co_return live;
}

asio::awaitable<absl::StatusOr<std::vector<v1::Limit>>> AccessRepository::ListLimits(v1::LimitKind kind, int offset,
                                                                                     int limit, Deadline deadline) {
  const std::string word = ToWord(kKinds, kind);
  const std::function<std::vector<v1::Limit>(DbConnection&)> work = [&](DbConnection& connection) {
    std::vector<v1::Limit> limits;
    for (const pqxx::row& row : ExecutePrepared(connection, kListLimits, word, offset, limit)) {
      limits.push_back(MakeLimit(row[0].c_str(), row[1].c_str(), row[2].c_str(), row[3].as<std::int64_t>(),
                                 row[4].as<std::int64_t>(), row[5].as<std::int64_t>()));
    }
    return limits;
  };
  co_return co_await pool_.Run(kListLimits, deadline, work);
}

asio::awaitable<absl::StatusOr<std::optional<v1::Limit>>> AccessRepository::SetLimit(v1::SetLimitRequest request,
                                                                                     std::string actor,
                                                                                     std::string trace_id,
                                                                                     Deadline deadline) {
  using Outcome = std::optional<v1::Limit>;
  const v1::Limit& limit = request.limit();
  const std::string kind = ToWord(kKinds, limit.kind()), subject = ToWord(kSubjects, limit.subject());
  const std::function<Outcome(DbConnection&)> work = [&](DbConnection& connection) -> Outcome {
    const pqxx::result rows =
        ExecutePrepared(connection, kSetLimit, request.commit_id(), kind, subject, limit.subject_id(), limit.amount(),
                        Milliseconds(limit.period()), limit.burst(), actor, trace_id);
    if (rows.at(0)[0].is_null()) return std::nullopt;
    return LimitFromJson(boost::json::parse(rows[0][0].c_str()).as_object());
  };
  co_return co_await pool_.Run(kSetLimit, deadline, work);
}

asio::awaitable<absl::StatusOr<v1::ConsumeLimitResponse>> AccessRepository::ConsumeLimit(
    v1::ConsumeLimitRequest request, Deadline deadline) {
  const std::string kind = ToWord(kKinds, request.kind());
  const std::function<v1::ConsumeLimitResponse(DbConnection&)> work = [&](DbConnection& connection) {
    const pqxx::result rows =
        ExecutePrepared(connection, kConsumeLimit, request.commit_id(), kind, request.amount(), request.contact_id(),
                        request.number_id(), request.token_id(), request.force());
    const boost::json::value parsed = boost::json::parse(rows.at(0)[0].c_str());
    const boost::json::object& outcome = parsed.as_object();
    v1::ConsumeLimitResponse response;
    response.set_allowed(outcome.at("allowed").as_bool());
    if (!response.allowed()) {
      *response.mutable_exceeded() = LimitFromJson(outcome);
      SetPeriod(outcome.at("wait_ms").to_number<std::int64_t>(), response.mutable_retry_after());
    }
    return response;
  };
  co_return co_await pool_.Run(kConsumeLimit, deadline, work);
}

}  // namespace medidesk::store
