// Tokens and limits in PostgreSQL: one named statement for each operation, one round trip each.
//
// Thread-safe. Arguments are checked by the caller. Errors are DbPool's; an empty optional means that there is no
// such row. Hashes are SHA-256, 32 bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "medidesk/store/v1/access.pb.h"
#include "store/db_pool.h"

namespace medidesk::store {

class AccessRepository {
 public:
  using Deadline = DbPool::Clock::time_point;

  explicit AccessRepository(DbPool& pool) : pool_(pool) {}

  struct NewToken {
    std::string id, commit_id, name;
    std::vector<std::string> scopes;  // "reply", ...
    std::string hash, prefix;
    std::optional<std::int64_t> expire_micros;
    std::string actor, trace_id;
  };
  struct CreateOutcome {
    v1::Token token;
    bool made = false;  // this call's secret is the token's
  };
  // nullopt: a live token has the name.
  asio::awaitable<absl::StatusOr<std::optional<CreateOutcome>>> CreateToken(NewToken token, Deadline deadline);

  // The newest first, after (before_micros, before_id) of the page before.
  asio::awaitable<absl::StatusOr<std::vector<v1::Token>>> ListTokens(bool include_dead, std::int64_t before_micros,
                                                                     std::string before_id, int limit,
                                                                     Deadline deadline);

  asio::awaitable<absl::StatusOr<std::optional<v1::Token>>> RevokeToken(std::string id, std::string actor,
                                                                        std::string trace_id, Deadline deadline);

  struct LiveToken {
    v1::Token token;
    std::string hash;
    std::optional<v1::Limit> request_limit;
  };
  asio::awaitable<absl::StatusOr<std::optional<LiveToken>>> CheckToken(std::string hash, Deadline deadline);

  // By kind, subject, id, from the row after `offset`.
  asio::awaitable<absl::StatusOr<std::vector<v1::Limit>>> ListLimits(v1::LimitKind kind, int offset, int limit,
                                                                     Deadline deadline);
  // nullopt: an unknown subject.
  asio::awaitable<absl::StatusOr<std::optional<v1::Limit>>> SetLimit(v1::SetLimitRequest request, std::string actor,
                                                                     std::string trace_id, Deadline deadline);
  asio::awaitable<absl::StatusOr<v1::ConsumeLimitResponse>> ConsumeLimit(v1::ConsumeLimitRequest request,
                                                                         Deadline deadline);

 private:
  DbPool& pool_;
};

}  // namespace medidesk::store
