#include "gateway/wa/reconnect_policy.h"

#include <gtest/gtest.h>

#include "gateway/wa/testing/scripted_entropy.h"

namespace medidesk::gateway::wa {
namespace {

using std::chrono::duration_cast;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Time kStart{hours(1000)};

ConnectionEnd End(EndKind kind) { return {.kind = kind}; }

TEST(ReconnectPolicy, BacksOffWithJitterUpToTwoMinutes) {
  ReconnectPolicy policy(testing::ScriptedEntropy());
  for (const int expected : {5, 10, 20, 40, 80, 120, 120}) {
    const auto plan = policy.OnEnd(End(EndKind::kRetry), kStart);
    EXPECT_EQ(plan.state, ConnectionState::kReconnecting);
    ASSERT_TRUE(plan.connect_at.has_value());
    EXPECT_GE(*plan.connect_at - kStart, milliseconds(expected * 800)) << expected;
    EXPECT_LE(*plan.connect_at - kStart, milliseconds(expected * 1200)) << expected;
    EXPECT_FALSE(plan.alarm);
  }
  policy.OnLoggedIn();
  EXPECT_LE(*policy.OnEnd(End(EndKind::kRetry), kStart).connect_at - kStart, seconds(6));
}

TEST(ReconnectPolicy, UsesTheWholeWidthOfTheJitter) {
  ReconnectPolicy low(testing::ScriptedEntropy(Bytes(8, 0)));
  EXPECT_EQ(*low.OnEnd(End(EndKind::kRetry), kStart).connect_at - kStart, milliseconds(4000));
  ReconnectPolicy high(testing::ScriptedEntropy({0, 0, 0, 0, 0, 0, 0x07, 0xd0}));  // 2,000 of 2,001
  EXPECT_EQ(*high.OnEnd(End(EndKind::kRetry), kStart).connect_at - kStart, milliseconds(6000));
}

TEST(ReconnectPolicy, RestartsAtOnce) {
  ReconnectPolicy policy(testing::ScriptedEntropy());
  EXPECT_EQ(policy.OnEnd(End(EndKind::kRestart), kStart).connect_at, kStart);
}

TEST(ReconnectPolicy, PausesAfterTooManyConnectsInAnHour) {
  ReconnectPolicy policy(testing::ScriptedEntropy());
  Time now = kStart;
  for (int i = 0; i < 20; ++i) {
    policy.OnConnecting(now);
    EXPECT_EQ(policy.OnEnd(End(EndKind::kRestart), now).connect_at, now) << i;
    now += seconds(1);
  }
  policy.OnConnecting(now);
  const auto plan = policy.OnEnd(End(EndKind::kRestart), now);
  EXPECT_EQ(plan.state, ConnectionState::kPaused);
  EXPECT_EQ(plan.connect_at, now + minutes(15));
  EXPECT_TRUE(plan.alarm);
  // An hour later those connects no longer count.
  now += hours(1);
  EXPECT_EQ(policy.OnEnd(End(EndKind::kRestart), now).connect_at, now);
}

TEST(ReconnectPolicy, WaitsLongWhenToldToSlowDown) {
  ReconnectPolicy policy(testing::ScriptedEntropy());
  EXPECT_GE(*policy.OnEnd(End(EndKind::kSlowRetry), kStart).connect_at - kStart, seconds(96));
}

TEST(ReconnectPolicy, StopsWhereAPersonMustAct) {
  const std::pair<EndKind, ConnectionState> cases[] = {
      {EndKind::kLoggedOut, ConnectionState::kNeedsLink},
      {EndKind::kReplaced, ConnectionState::kReplaced},
      {EndKind::kVersionRefused, ConnectionState::kVersionRefused},
      {EndKind::kBanned, ConnectionState::kBanned},
      {EndKind::kRefused, ConnectionState::kStopped},
  };
  for (const auto& [kind, state] : cases) {
    ReconnectPolicy policy(testing::ScriptedEntropy());
    const auto plan = policy.OnEnd(End(kind), kStart);
    EXPECT_EQ(plan.state, state);
    EXPECT_EQ(plan.connect_at, std::nullopt);
    EXPECT_TRUE(plan.alarm);
  }
}

TEST(ReconnectPolicy, ComesBackAfterABanWithAnEnd) {
  ReconnectPolicy policy(testing::ScriptedEntropy());
  const auto plan = policy.OnEnd({.kind = EndKind::kBanned, .ban = seconds(3600)}, kStart);
  EXPECT_EQ(plan.state, ConnectionState::kBanned);
  EXPECT_EQ(plan.connect_at, kStart + seconds(3600) + minutes(15));
}

TEST(ReconnectPolicy, TriesAgainLaterWithAnUntrustedServer) {
  ReconnectPolicy policy(testing::ScriptedEntropy());
  const auto plan = policy.OnEnd(End(EndKind::kUntrustedServer), kStart);
  EXPECT_EQ(plan.state, ConnectionState::kUntrustedServer);
  EXPECT_EQ(plan.connect_at, kStart + minutes(15));
  EXPECT_TRUE(plan.alarm);
}

TEST(ReconnectPolicy, StopsWhenTheSameRefusalRepeats) {
  ReconnectPolicy policy(testing::ScriptedEntropy());
  EXPECT_EQ(policy.OnEnd(End(EndKind::kGenericRefusal), kStart).connect_at, kStart + minutes(15));
  EXPECT_EQ(policy.OnEnd(End(EndKind::kGenericRefusal), kStart).connect_at, std::nullopt);
  EXPECT_TRUE(policy.OnEnd(End(EndKind::kMaybeLoggedOut), kStart).connect_at.has_value());
  EXPECT_EQ(policy.OnEnd(End(EndKind::kMaybeLoggedOut), kStart).state, ConnectionState::kNeedsLink);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(policy.OnEnd(End(EndKind::kUnknownRetry), kStart).connect_at.has_value());
  EXPECT_EQ(policy.OnEnd(End(EndKind::kUnknownRetry), kStart).state, ConnectionState::kStopped);
  policy.OnLoggedIn();
  EXPECT_TRUE(policy.OnEnd(End(EndKind::kUnknownRetry), kStart).connect_at.has_value());
}

}  // namespace
}  // namespace medidesk::gateway::wa
