#include "gateway/bot/governor.h"

#include <gtest/gtest.h>

namespace medidesk::gateway::bot {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using Kind = Governor::Decision::Kind;

class GovernorTest : public ::testing::Test {
 protected:
  static wa::Entropy Zeros() {
    return [](std::span<std::uint8_t> bytes) { std::fill(bytes.begin(), bytes.end(), 0); };
  }
  void Pass(wa::Time::duration time) {
    now_.steady += time;
    now_.wall += std::chrono::duration_cast<wa::WallTime::duration>(time);
  }
  Kind Ask(const std::string& contact, Origin origin = Origin::kBot) {
    return governor_.Ask(contact, origin, std::nullopt, now_).kind;
  }
  std::string Reason(const std::string& contact, Origin origin = Origin::kBot) {
    return governor_.Ask(contact, origin, std::nullopt, now_).reason;
  }
  void Receive(const std::string& contact) { governor_.OnReceived(contact, now_, now_.wall); }
  void Send(const std::string& contact, Origin origin = Origin::kBot) { governor_.OnSent(contact, origin, now_); }

  wa::Moment now_{.steady = wa::Time(hours(1000)), .wall = wa::WallTime(hours(24 * 20'000))};
  Governor governor_{GovernorLimits(), Zeros()};
};

TEST_F(GovernorTest, LetsAnAnswerGo) {
  Receive("a");
  EXPECT_EQ(Ask("a"), Kind::kGo);
}

TEST_F(GovernorTest, NeverWritesFirst) {
  EXPECT_EQ(Reason("a", Origin::kService), "window_closed");
  EXPECT_EQ(Reason("a", Origin::kStaff), "window_closed");
  EXPECT_EQ(Ask("a", Origin::kGate), Kind::kGo);
}

TEST_F(GovernorTest, ClosesTheWindowAfterADay) {
  Receive("a");
  Pass(hours(25));
  EXPECT_EQ(Reason("a", Origin::kStaff), "window_closed");
  EXPECT_EQ(governor_.Ask("a", Origin::kStaff, now_.wall - hours(1), now_).kind, Kind::kGo);
}

TEST_F(GovernorTest, KeepsAPauseBetweenTwoMessages) {
  Receive("a");
  Send("a");
  const Governor::Decision decision = governor_.Ask("a", Origin::kBot, std::nullopt, now_);
  EXPECT_EQ(decision.kind, Kind::kWait);
  EXPECT_EQ(decision.at, now_.steady + seconds(1));
  Pass(seconds(1));
  EXPECT_EQ(Ask("a"), Kind::kGo);
}

TEST_F(GovernorTest, StopsAnsweringWhoDoesNotAnswer) {
  Receive("a");
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Ask("a"), Kind::kGo);
    Send("a");
    Pass(seconds(4));
  }
  EXPECT_EQ(Reason("a"), "unanswered");
  EXPECT_EQ(Ask("a", Origin::kStaff), Kind::kGo);
  Receive("a");
  EXPECT_EQ(Ask("a"), Kind::kGo);
}

TEST_F(GovernorTest, LimitsTheMessagesOfAnHour) {
  for (int i = 0; i < 30; ++i) {
    Receive("a");
    ASSERT_EQ(Ask("a"), Kind::kGo) << i;
    Send("a");
    Pass(seconds(10));
  }
  Receive("a");
  EXPECT_EQ(Ask("a"), Kind::kWait);
  Pass(hours(1));
  EXPECT_EQ(Ask("a"), Kind::kGo);
}

TEST_F(GovernorTest, LimitsTheWholeAccount) {
  int sent = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string contact = "c" + std::to_string(i % 11);
    Receive(contact);
    if (Ask(contact) != Kind::kGo) continue;
    Send(contact);
    ++sent;
    Pass(std::chrono::milliseconds(100));
  }
  EXPECT_LE(sent, 12);  // ten at once, then one in three seconds
  EXPECT_GE(sent, 10);
}

TEST_F(GovernorTest, LimitsHowManyPeopleItWritesToInAMinute) {
  GovernorLimits limits;
  limits.burst = 100;
  limits.per_minute = 10'000;
  Governor governor(limits, Zeros());
  for (int i = 0; i < 12; ++i) {
    const std::string contact = "c" + std::to_string(i);
    governor.OnReceived(contact, now_, now_.wall);
    ASSERT_EQ(governor.Ask(contact, Origin::kBot, std::nullopt, now_).kind, Kind::kGo);
    governor.OnSent(contact, Origin::kBot, now_);
  }
  governor.OnReceived("other", now_, now_.wall);
  EXPECT_EQ(governor.Ask("other", Origin::kBot, std::nullopt, now_).kind, Kind::kWait);
  Pass(minutes(1));
  EXPECT_EQ(governor.Ask("other", Origin::kBot, std::nullopt, now_).kind, Kind::kGo);
}

TEST_F(GovernorTest, BlocksAContactAfter463AndLimitsTheAccountAfterTwo) {
  Receive("a");
  Receive("b");
  governor_.OnRefused("a", now_);
  EXPECT_EQ(Reason("a"), "contact_blocked");
  EXPECT_EQ(governor_.state(now_), SendState::kNormal);
  governor_.OnRefused("b", now_);
  EXPECT_EQ(governor_.state(now_), SendState::kLimited);
  Receive("c");
  governor_.OnRefused("c", now_);
  EXPECT_EQ(governor_.state(now_), SendState::kHeld);
  Receive("d");
  EXPECT_EQ(Reason("d"), "held");
  EXPECT_EQ(Ask("d", Origin::kGate), Kind::kGo);
  Pass(minutes(71));
  EXPECT_EQ(governor_.state(now_), SendState::kNormal);
}

TEST_F(GovernorTest, FollowsWhatWhatsAppSays) {
  governor_.OnRestricted(true, now_.wall + hours(2), now_);
  EXPECT_EQ(governor_.state(now_), SendState::kLimited);
  Pass(hours(2));
  EXPECT_EQ(governor_.state(now_), SendState::kLimited);
  Pass(minutes(10));
  EXPECT_EQ(governor_.state(now_), SendState::kNormal);
  governor_.OnNewChatCap("CAPPED", now_.wall + hours(1), now_);
  EXPECT_EQ(governor_.state(now_), SendState::kLimited);
  governor_.OnRestricted(false, std::nullopt, now_);
  EXPECT_EQ(governor_.state(now_), SendState::kNormal);
}

TEST_F(GovernorTest, BeginsSlowlyAfterALink) {
  GovernorLimits limits;
  limits.burst = 1'000;
  limits.per_minute = 100'000;
  limits.per_hour = 100'000;
  limits.contacts_per_minute = 10'000;
  Governor governor(limits, Zeros());
  governor.OnLinked(now_.wall - hours(1));
  int sent = 0;
  for (int i = 0; i < 400; ++i) {
    const std::string contact = "c" + std::to_string(i);
    governor.OnReceived(contact, now_, now_.wall);
    if (governor.Ask(contact, Origin::kBot, std::nullopt, now_).kind != Kind::kGo) continue;
    governor.OnSent(contact, Origin::kBot, now_);
    ++sent;
  }
  EXPECT_EQ(sent, 300);
}

TEST_F(GovernorTest, SurvivesARestart) {
  governor_.OnRestricted(true, now_.wall + hours(2), now_);
  Receive("a");
  Send("a");
  Governor again(GovernorLimits(), Zeros());
  again.Restore(governor_.Save());
  EXPECT_EQ(again.Save(), governor_.Save());
  EXPECT_EQ(again.state(now_), SendState::kLimited);
  for (const char* bad : {"", "1", "2 1 0 0 0 0 0", "1 9 0 0 0 0 0", "1 1 0 0 -1 0 0", "1 1 x 0 0 0 0"}) {
    Governor fresh(GovernorLimits(), Zeros());
    fresh.Restore(bad);
    EXPECT_EQ(fresh.state(now_), SendState::kNormal) << bad;
  }
}

TEST_F(GovernorTest, LetsEverythingGoWhenSwitchedOff) {
  GovernorLimits limits;
  limits.enabled = false;
  Governor governor(limits, Zeros());
  EXPECT_EQ(governor.Ask("a", Origin::kService, std::nullopt, now_).kind, Kind::kGo);
}

}  // namespace
}  // namespace medidesk::gateway::bot
