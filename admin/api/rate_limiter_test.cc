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
