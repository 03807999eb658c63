#include "gateway/bot/emergency_texts.h"

#include <gtest/gtest.h>

namespace medidesk::gateway::bot {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

TEST(EmergencyTexts, LeaveOnceToAPersonAndEmergency) {
  EmergencyTexts texts;
  const wa::Time now{minutes(100)};
  texts.OnCry("1", "34600", "7", "chest_pain");
  texts.OnCry("2", "34600", "7", "chest_pain");
  texts.OnCry("3", "", "7", "chest_pain");
  texts.OnCry("4", "34600", "", "stroke");
  texts.OnCry("5", "34601", "8", "chest_pain");
  EXPECT_TRUE(texts.MayLeave("1", now));
  EXPECT_FALSE(texts.MayLeave("2", now + minutes(29)));
  EXPECT_FALSE(texts.MayLeave("3", now)) << "the same person by the other address";
  EXPECT_TRUE(texts.MayLeave("4", now)) << "another emergency";
  EXPECT_TRUE(texts.MayLeave("5", now)) << "another person";
  EXPECT_TRUE(texts.MayLeave("2", now + minutes(30)));
  EXPECT_FALSE(texts.MayLeave("unknown", now));
}

TEST(EmergencyTexts, CountWhatTheStoreHasMadeAReplyAsSent) {
  EmergencyTexts texts;
  const wa::Time now{minutes(100)};
  texts.OnCry("1", "34600", "7", "chest_pain");
  texts.OnStored("1", now);
  texts.OnCry("2", "34600", "7", "chest_pain");
  EXPECT_FALSE(texts.MayLeave("2", now + minutes(1)));
  // The repetition was no reply, so the time goes on from the first.
  EXPECT_TRUE(texts.MayLeave("2", now + minutes(30)));
}

TEST(EmergencyTexts, WaitAtMostSoLongForTheStore) {
  EmergencyTexts texts;
  const wa::Time now{minutes(100)};
  EXPECT_EQ(texts.PatienceOf("1"), std::nullopt) << "an ordinary reply waits";
  texts.OnCry("1", "34600", "7", "chest_pain");
  EXPECT_EQ(texts.PatienceOf("1"), EmergencyTexts::kPatience);
  EXPECT_TRUE(texts.MayLeave("1", now));
  EXPECT_EQ(texts.PatienceOf("1"), milliseconds(0)) << "the message has waited already";
  texts.OnStored("1", now + minutes(1));
  texts.OnCry("2", "34600", "7", "chest_pain");
  EXPECT_TRUE(texts.MayLeave("2", now + minutes(30))) << "it left then, not when it was stored";
}

TEST(EmergencyTexts, RememberTheNewest) {
  EmergencyTexts texts;
  for (std::size_t i = 0; i <= EmergencyTexts::kMaxTexts; ++i) {
    texts.OnCry(std::to_string(i), std::to_string(i), "", "stroke");
  }
  EXPECT_EQ(texts.PatienceOf("0"), std::nullopt);
  EXPECT_NE(texts.PatienceOf("1"), std::nullopt);
}

}  // namespace
}  // namespace medidesk::gateway::bot
