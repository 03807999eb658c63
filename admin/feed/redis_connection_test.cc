#include "admin/feed/redis_connection.h"

#include <gmock/gmock.h>

#include "admin/feed/redis_feed.h"
#include "base/status.h"

namespace medidesk::admin {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RedisAddress, ReadsEveryPartOfAUrl) {
  const auto whole = RedisAddress::Parse("redis://feed:pa:ss@redis.example:6380/2");
  ASSERT_TRUE(whole.ok()) << Text(whole.status());
  EXPECT_EQ(whole->user, "feed");
  EXPECT_EQ(whole->password, "pa:ss");
  EXPECT_EQ(whole->host, "redis.example");
  EXPECT_EQ(whole->port, 6380);
  EXPECT_EQ(whole->database, 2);
  const auto least = RedisAddress::Parse("redis://localhost");
  ASSERT_TRUE(least.ok());
  EXPECT_EQ(least->port, 6379);
  EXPECT_EQ(least->database, 0);
  EXPECT_EQ(RedisAddress::Parse("redis://[::1]:7000")->host, "::1");
  EXPECT_EQ(RedisAddress::Parse("redis://:secret@h/")->password, "secret");
}

TEST(RedisAddress, RefusesOthersWithoutQuotingThem) {
  for (const char* url : {"", "localhost:6379", "redis://", "redis://s3cret@h", "redis://h:0", "redis://h:port",
                          "redis://h/one", "redis://h/-1", "redis://[::1", "rediss://:s3cret@h", "http://h"}) {
    const auto address = RedisAddress::Parse(url);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(std::string(Text(address.status())), Not(HasSubstr("s3cret")));
  }
}

TEST(RedisFeedConfig, IsCheckedOnlyWhereItIsUsed) {
  RedisFeedConfig config;
  config.redis_stream = "";
  EXPECT_TRUE(config.Check().ok());
  config.redis_url = "redis://localhost";
  EXPECT_FALSE(config.Check().ok());
}

TEST(RedisConnection, SaysWhenNobodyIsThere) {
  const auto connection = RedisConnection::Open({.host = "127.0.0.1", .user = {}, .password = {}, .port = 1},
                                                std::chrono::milliseconds(500));
  EXPECT_EQ(connection.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace medidesk::admin
