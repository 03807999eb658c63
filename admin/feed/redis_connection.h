// One connection to Redis through hiredis: blocking, every step bounded by a time-out.
//
// Errors: UNAVAILABLE when the server is not there or does not answer in time; the connection is then of no more
// use. FAILED_PRECONDITION for what the server refuses; the text is ours, never the server's. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

struct redisContext;

namespace medidesk::admin {

// redis://[[user]:password@]host[:port][/database]
struct RedisAddress {
  std::string host, user, password;
  int port = 6379, database = 0;

  // INVALID_ARGUMENT says what is expected and quotes nothing: the URL may hold a password.
  static absl::StatusOr<RedisAddress> Parse(std::string_view url);
};

// The id of an entry of a stream, "<first>-<second>".
struct StreamId {
  std::uint64_t first = 0, second = 0;

  friend auto operator<=>(const StreamId&, const StreamId&) = default;
};

class RedisConnection {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  static absl::StatusOr<std::unique_ptr<RedisConnection>> Open(const RedisAddress& address,
                                                               std::chrono::milliseconds timeout);
  ~RedisConnection();

  // The last id that the stream has given out, also when its entries were trimmed; nullopt: there is no such stream.
  absl::StatusOr<std::optional<StreamId>> LastId(const std::string& stream);
  // Appends an entry and trims the stream to about `max_entries`. False: the stream is past this id already.
  absl::StatusOr<bool> Add(const std::string& stream, std::int64_t max_entries, StreamId id, const Fields& fields);

 private:
  struct Free {
    void operator()(redisContext* context) const;
  };
  explicit RedisConnection(redisContext* context) : context_(context) {}

  std::unique_ptr<redisContext, Free> context_;
};

}  // namespace medidesk::admin
