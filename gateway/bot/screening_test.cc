#include "gateway/bot/screening.h"

#include <gtest/gtest.h>

namespace medidesk::gateway::bot {
namespace {

using safety::FixedReply;

class ScreeningTest : public ::testing::Test {
 protected:
  Screened Say(const std::string& text, const std::string& who = "1") {
    return screening_.Screen({.user = who, .server = std::string(wa::kUserServer)}, text, contacts_);
  }
  const safety::Gate gate_ = *safety::Gate::Make(safety::EmbeddedTables());
  const safety::Texts texts_ = *safety::Texts::Make(safety::EmbeddedTexts());
  const safety::SiteContacts contacts_{
      .emergency_number = "112", .crisis_line = "14416", .emergency_address = "", .emergency_phone = ""};
  Screening screening_{gate_, texts_};
};

TEST_F(ScreeningTest, LetsAnOrdinaryMessagePass) {
  const Screened screened = Say("What are your visiting hours?");
  EXPECT_EQ(screened.kind, FixedReply::kNone);
  EXPECT_EQ(screened.text, "");
  EXPECT_EQ(screened.language, "en");
}

TEST_F(ScreeningTest, AnswersARedFlagWithTheSitesNumber) {
  const Screened screened = Say("I have crushing chest pain");
  EXPECT_EQ(screened.kind, FixedReply::kEmergency);
  EXPECT_NE(screened.text.find("112"), std::string::npos);
  EXPECT_FALSE(screened.burst_counts);
}

TEST_F(ScreeningTest, FindsWhatIsSplitOverABurst) {
  EXPECT_EQ(Say("my chest").kind, FixedReply::kNone);
  EXPECT_EQ(Say("hurts a lot", "2").kind, FixedReply::kNone);
  const Screened screened = Say("hurts a lot");
  EXPECT_EQ(screened.kind, FixedReply::kEmergency);
  EXPECT_TRUE(screened.burst_counts);
  EXPECT_TRUE(screened.message.quiet());
}

TEST_F(ScreeningTest, DoesNotJoinWhatDifferentPeopleWrite) {
  EXPECT_EQ(Say("chest", "1").kind, FixedReply::kNone);
  EXPECT_EQ(Say("pain", "2").kind, FixedReply::kNone);
}

TEST_F(ScreeningTest, ForgetsATurnThatWasSealed) {
  const wa::Jid chat{.user = "1", .server = std::string(wa::kUserServer)};
  screening_.Screen(chat, "my chest", contacts_);
  screening_.Close(chat);
  const Screened screened = screening_.Screen(chat, "what are your hours", contacts_);
  EXPECT_FALSE(screened.burst_counts);
  EXPECT_EQ(screened.burst.table_version, "");  // nothing to join
}

TEST_F(ScreeningTest, HearsThatAPersonIsWanted) {
  EXPECT_EQ(Say("I want to talk to a real person, not a bot").kind, FixedReply::kHumanRequest);
  EXPECT_EQ(Say("STOP").kind, FixedReply::kOptOut);
}

}  // namespace
}  // namespace medidesk::gateway::bot
