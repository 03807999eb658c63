#include "gateway/wa/keepalive.h"

#include <gtest/gtest.h>

#include "gateway/wa/testing/scripted_entropy.h"

namespace medidesk::gateway::wa {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Action = Keepalive::Action;

constexpr Time kStart{std::chrono::hours(1000)};

TEST(Keepalive, PingsEvery20To30Seconds) {
  Keepalive keepalive(testing::ScriptedEntropy(), kStart);
  Time last = kStart;
  for (int i = 0; i < 50; ++i) {
    const Time next = *keepalive.next_time();
    EXPECT_GE(next - last, seconds(20));
    EXPECT_LE(next - last, seconds(30));
    EXPECT_EQ(keepalive.Next(next - milliseconds(1)), Action::kWait);
    EXPECT_EQ(keepalive.Next(next), Action::kSendPing);
    keepalive.OnReceived(next);
    last = next;
  }
}

TEST(Keepalive, GivesUp20SecondsAfterAPingWithoutASign) {
  Keepalive keepalive(testing::ScriptedEntropy(), kStart);
  const Time ping = *keepalive.next_time();
  EXPECT_EQ(keepalive.Next(ping), Action::kSendPing);
  EXPECT_LE(*keepalive.next_time(), ping + seconds(20));
  EXPECT_EQ(keepalive.Next(ping + seconds(20) - milliseconds(1)), Action::kWait);
  EXPECT_EQ(keepalive.Next(ping + seconds(20)), Action::kGiveUp);
}

TEST(Keepalive, TakesAnythingForASignOfLife) {
  Keepalive keepalive(testing::ScriptedEntropy(), kStart);
  const Time ping = *keepalive.next_time();
  EXPECT_EQ(keepalive.Next(ping), Action::kSendPing);
  keepalive.OnReceived(ping + seconds(19));
  EXPECT_NE(keepalive.Next(ping + seconds(20)), Action::kGiveUp);
}

TEST(Keepalive, StandsStillWhileNothingIsRead) {
  Keepalive keepalive(testing::ScriptedEntropy(), kStart);
  const Time ping = *keepalive.next_time();
  EXPECT_EQ(keepalive.Next(ping), Action::kSendPing);
  keepalive.Pause();
  EXPECT_EQ(keepalive.next_time(), std::nullopt);
  EXPECT_EQ(keepalive.Next(ping + seconds(500)), Action::kWait);
  keepalive.Resume(ping + seconds(500));
  EXPECT_NE(keepalive.Next(ping + seconds(519)), Action::kGiveUp);
  EXPECT_EQ(keepalive.Next(ping + seconds(520)), Action::kGiveUp);
}

}  // namespace
}  // namespace medidesk::gateway::wa
