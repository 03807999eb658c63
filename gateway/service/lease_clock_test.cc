#include "gateway/service/lease_clock.h"

#include <gtest/gtest.h>

namespace medidesk::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LeaseClockTest : public ::testing::Test {
 protected:
  static LeaseClock::Time At(milliseconds time) { return LeaseClock::Time(seconds(1'000) + time); }

  LeaseClock clock_;
};

TEST_F(LeaseClockTest, HoldsNothingBeforeTheFirstAnswer) { EXPECT_FALSE(clock_.Holds(At(seconds(0)))); }

TEST_F(LeaseClockTest, HoldsTenSecondsFromSending) {
  clock_.OnAnswer(At(seconds(0)), /*alone=*/false);
  EXPECT_TRUE(clock_.Holds(At(milliseconds(9'999))));
  EXPECT_FALSE(clock_.Holds(At(seconds(10))));
}

TEST_F(LeaseClockTest, HoldsNinetySecondsWhenAlone) {
  clock_.OnAnswer(At(seconds(0)), /*alone=*/true);
  EXPECT_TRUE(clock_.Holds(At(milliseconds(89'999))));
  EXPECT_FALSE(clock_.Holds(At(seconds(90))));
}

TEST_F(LeaseClockTest, GivesTheLongerTimeBackWhenAnotherGatewayLives) {
  clock_.OnAnswer(At(seconds(0)), /*alone=*/true);
  clock_.OnAnswer(At(seconds(5)), /*alone=*/false);
  EXPECT_TRUE(clock_.Holds(At(milliseconds(14'999))));
  EXPECT_FALSE(clock_.Holds(At(seconds(15))));
}

TEST_F(LeaseClockTest, ForgetsAnAnswerThatALaterOneOvertook) {
  clock_.OnAnswer(At(seconds(5)), /*alone=*/false);
  clock_.OnAnswer(At(seconds(0)), /*alone=*/true);
  EXPECT_FALSE(clock_.Holds(At(seconds(15))));
}

TEST_F(LeaseClockTest, ReadsAClockThatRuns) {
  const LeaseClock::Time before = LeaseClock::Now();
  EXPECT_GT(before.time_since_epoch().count(), 0);
  EXPECT_GE(LeaseClock::Now(), before);
}

}  // namespace
}  // namespace medidesk::gateway
