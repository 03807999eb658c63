#include "admin/feed/redis_connection.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <charconv>
#include <cstring>
#include <string_view>

#include "base/status.h"

namespace medidesk::admin {
namespace {

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

std::string_view TextOf(const redisReply& reply) {
  return reply.str == nullptr ? std::string_view() : std::string_view(reply.str, reply.len);
}

// The server's answer; UNAVAILABLE when there is none.
absl::StatusOr<Reply> Command(redisContext* context, const std::vector<std::string>& words) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string& word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  Reply reply(
      static_cast<redisReply*>(redisCommandArgv(context, static_cast<int>(words.size()), texts.data(), sizes.data())));
  if (reply == nullptr) return Error(absl::StatusCode::kUnavailable, "Redis does not answer");
  return reply;
}

absl::Status Refused(std::string_view what) {
  return Error(absl::StatusCode::kFailedPrecondition,
               fmt::format("Redis refuses {}: check REDIS_URL, the account's rights and REDIS_STREAM", what));
}

template <class Number>
bool ReadNumber(std::string_view text, Number* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::optional<StreamId> ReadId(std::string_view text) {
  StreamId id;
  const std::size_t dash = text.find('-');
  if (dash == text.npos || !ReadNumber(text.substr(0, dash), &id.first) ||
      !ReadNumber(text.substr(dash + 1), &id.second)) {
    return std::nullopt;
  }
  return id;
}

}  // namespace

absl::StatusOr<RedisAddress> RedisAddress::Parse(std::string_view url) {
  const absl::Status wrong = Error(absl::StatusCode::kInvalidArgument,
                                   "--redis_url: expected redis://[[user]:password@]host[:port][/database]");
  constexpr std::string_view kScheme = "redis://";
  if (url.starts_with("rediss://")) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "--redis_url: TLS is not offered; use redis:// to a TLS tunnel on this machine");
  }
  if (!url.starts_with(kScheme) || url.size() > 1024) return wrong;
  url.remove_prefix(kScheme.size());
  RedisAddress address;
  if (const std::size_t at = url.rfind('@'); at != url.npos) {
    const std::string_view login = url.substr(0, at);
    const std::size_t colon = login.find(':');
    if (colon == login.npos) return wrong;
    address.user = login.substr(0, colon);
    address.password = login.substr(colon + 1);
    url.remove_prefix(at + 1);
  }
  if (const std::size_t slash = url.find('/'); slash != url.npos) {
    if (const std::string_view number = url.substr(slash + 1);
        !number.empty() && (!ReadNumber(number, &address.database) || address.database < 0)) {
      return wrong;
    }
    url = url.substr(0, slash);
  }
  if (url.starts_with('[')) {
    const std::size_t end = url.find(']');
    if (end == url.npos) return wrong;
    address.host = url.substr(1, end - 1);
    url.remove_prefix(end + 1);
  } else {
    address.host = url.substr(0, url.find(':'));
    url.remove_prefix(address.host.size());
  }
  if (!url.empty() && (!url.starts_with(':') || !ReadNumber(url.substr(1), &address.port))) return wrong;
  if (address.host.empty() || address.port < 1 || address.port > 65535) return wrong;
  return address;
}

void RedisConnection::Free::operator()(redisContext* context) const { redisFree(context); }

RedisConnection::~RedisConnection() = default;

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisConnection::Open(const RedisAddress& address,
                                                                       std::chrono::milliseconds timeout) {
  const timeval time{.tv_sec = timeout.count() / 1000, .tv_usec = timeout.count() % 1000 * 1000};
  std::unique_ptr<RedisConnection> connection(
      new RedisConnection(redisConnectWithTimeout(address.host.c_str(), address.port, time)));
  redisContext* const context = connection->context_.get();
  if (context == nullptr || context->err != 0 || redisSetTimeout(context, time) != REDIS_OK) {
    return Error(absl::StatusCode::kUnavailable, "Redis cannot be reached");
  }
  if (!address.password.empty()) {
    std::vector<std::string> words = {"AUTH"};
    if (!address.user.empty()) words.push_back(address.user);
    words.push_back(address.password);
    MD_ASSIGN_OR_RETURN(const Reply reply, Command(context, words));
    if (reply->type == REDIS_REPLY_ERROR) return Refused("the login");
  }
  if (address.database != 0) {
    MD_ASSIGN_OR_RETURN(const Reply reply, Command(context, {"SELECT", std::to_string(address.database)}));
    if (reply->type == REDIS_REPLY_ERROR) return Refused("the database");
  }
  return connection;
}

absl::StatusOr<std::optional<StreamId>> RedisConnection::LastId(const std::string& stream) {
  MD_ASSIGN_OR_RETURN(const Reply reply, Command(context_.get(), {"XINFO", "STREAM", stream}));
  if (reply->type == REDIS_REPLY_ERROR) {
    if (TextOf(*reply).find("no such key") != std::string_view::npos) return std::nullopt;
    return Refused("to tell the stream's state");
  }
  for (std::size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
    if (TextOf(*reply->element[i]) != "last-generated-id") continue;
    if (const auto id = ReadId(TextOf(*reply->element[i + 1]))) return id;
  }
  return Refused("to tell the stream's state");
}

absl::StatusOr<bool> RedisConnection::Add(const std::string& stream, std::int64_t max_entries, StreamId id,
                                          const Fields& fields) {
  std::vector<std::string> words = {
      "XADD", stream, "MAXLEN", "~", std::to_string(max_entries), fmt::format("{}-{}", id.first, id.second)};
  for (const auto& [name, value] : fields) {
    words.push_back(name);
    words.push_back(value);
  }
  MD_ASSIGN_OR_RETURN(const Reply reply, Command(context_.get(), words));
  if (reply->type != REDIS_REPLY_ERROR) return true;
  const std::string_view text = TextOf(*reply);
  if (text.find("equal or smaller") != text.npos) return false;
  // A server that is loading, read-only or out of memory gets over it.
  for (const char* passing : {"LOADING", "READONLY", "OOM", "MASTERDOWN", "NOREPLICAS"}) {
    if (text.starts_with(passing)) return Error(absl::StatusCode::kUnavailable, "Redis takes no writes now");
  }
  return Refused("the entry");
}

}  // namespace medidesk::admin
