#include "admin/api/rate_limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace medidesk::admin {
namespace {

using namespace std::chrono_literals;

class RateLimiterTest : public testing::Test {
 protected:
  RateLimiter::Time now_{std::chrono::hours(1)};
};

TEST_F(RateLimiterTest, AllowsABurstAndThenTheRate) {
  RateLimiter limiter({.per_second = 10, .burst = 3, .max_keys = 100});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.Take("a", now_).allowed);
  const auto refused = limiter.Take("a", now_);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, 100ms);
  EXPECT_FALSE(limiter.Take("a", now_ + 99ms).allowed);
  EXPECT_TRUE(limiter.Take("a", now_ + 100ms).allowed);
  EXPECT_FALSE(limiter.Take("a", now_ + 100ms).allowed);
  EXPECT_TRUE(limiter.Take("b", now_).allowed);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.Take("a", now_ + 1h).allowed);
  EXPECT_FALSE(limiter.Take("a", now_ + 1h).allowed);
}

TEST_F(RateLimiterTest, DoesNotCountWhatItRefuses) {
  RateLimiter limiter({.per_second = 1, .burst = 1, .max_keys = 100});
  EXPECT_TRUE(limiter.Take("a", now_).allowed);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(limiter.Take("a", now_ + 500ms).allowed);
  EXPECT_TRUE(limiter.Take("a", now_ + 1s).allowed);
}

TEST_F(RateLimiterTest, LimitsNothingAtRateZero) {
  RateLimiter limiter({.per_second = 0});
  EXPECT_FALSE(limiter.limits());
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limiter.Take("a", now_).allowed);
}

TEST_F(RateLimiterTest, KeepsABusyKeyWhileTensOfThousandsPassBy) {
  RateLimiter limiter({.per_second = 1, .burst = 100, .max_keys = 1024});
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(limiter.Take("busy", now_).allowed);
  for (int i = 0; i < 50'000; ++i) {
    ASSERT_TRUE(limiter.Take("passer-by " + std::to_string(i), now_).allowed);
  }
  EXPECT_FALSE(limiter.Take("busy", now_).allowed);
}

TEST_F(RateLimiterTest, ForgetsBeforeItRefusesAStranger) {
  RateLimiter limiter({.per_second = 0.001, .burst = 1, .max_keys = 8});
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(limiter.Take(std::to_string(i), now_).allowed);
}

TEST_F(RateLimiterTest, LetsNobodyBuyAFullBucketByBeingForgotten) {
  // Eight places, and a caller that brings a thousand keys along: each comes again and again.
  constexpr int kBurst = 50, kKeys = 1000, kRounds = 40;
  RateLimiter limiter({.per_second = 0.001, .burst = kBurst, .max_keys = 8});
  int allowed = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int key = 0; key < kKeys; ++key) {
      // Two at once: the first is a stranger's, which is never refused.
      for (int i = 0; i < 2; ++i) allowed += limiter.Take(std::to_string(key), now_).allowed ? 1 : 0;
    }
  }
  // Full buckets for all who come back would let all 80,000 through.
  EXPECT_LE(allowed, kRounds * kKeys + 8 * kBurst);
}

TEST_F(RateLimiterTest, KeepsAFloodersDebtWhileItRotatesKeys) {
  RateLimiter limiter({.per_second = 1, .burst = 20, .max_keys = 8});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(limiter.Take("flooder", now_).allowed);
  ASSERT_FALSE(limiter.Take("flooder", now_).allowed);
  // Every place is taken by keys that have used up as much; the flooder is forgotten among them.
  for (int key = 0; key < 8; ++key) {
    for (int i = 0; i < 20; ++i) limiter.Take("helper " + std::to_string(key), now_);
  }
  int allowed = 0;
  for (int i = 0; i < 20; ++i) allowed += limiter.Take("flooder", now_).allowed ? 1 : 0;
  EXPECT_LE(allowed, 1);
}

// Simulated time: 60 s of 10,000 callers that keep to the rate, and of one that does not.
TEST_F(RateLimiterTest, LeavesTenThousandFairCallersAloneBesideAFlooder) {
  constexpr int kCallers = 10'000, kSeconds = 60;
  RateLimiter limiter({.per_second = 1, .burst = 20, .max_keys = 65'536});
  int fair_refused = 0, flooder_allowed = 0;
  for (int second = 0; second < kSeconds; ++second) {
    for (int caller = 0; caller < kCallers; ++caller) {
      const auto time = now_ + std::chrono::seconds(second) + std::chrono::microseconds(100 * caller);
      fair_refused += limiter.Take(std::to_string(caller), time).allowed ? 0 : 1;
      flooder_allowed += limiter.Take("flooder", time).allowed ? 1 : 0;
    }
  }
  EXPECT_EQ(fair_refused, 0);
  EXPECT_GE(flooder_allowed, kSeconds);
  EXPECT_LE(flooder_allowed, 20 + kSeconds) << "of 600,000 tries";
}

TEST(AddressKey, CountsANetworkOfOneOwnerAsOne) {
  const auto key = [](const char* text) { return AddressKey(boost::asio::ip::make_address(text)); };
  EXPECT_EQ(key("203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(key("::ffff:203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_NE(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
  EXPECT_NE(key("203.0.113.9"), key("203.0.113.10"));
}

TEST_F(RateLimiterTest, CountsExactlyFromManyThreads) {
  RateLimiter limiter({.per_second = 0.001, .burst = 1000, .max_keys = 100});
  std::atomic<int> allowed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) allowed += limiter.Take("shared", now_).allowed ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allowed, 1000);
}

}  // namespace
}  // namespace medidesk::admin
