#include "safety/language.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "safety/testing/messages.h"

namespace medidesk::safety {
namespace {

TEST(GuessLanguage, KnowsTheLanguageOfOrdinaryMessages) {
  int right = 0, all = 0;
  for (const auto& message : testing::kBenign) {
    ++all;
    if (GuessLanguage(message.text) == message.language) {
      ++right;
    } else {
      std::printf("%s taken for %s\n", std::string(message.text).c_str(),
                  std::string(GuessLanguage(message.text)).c_str());
    }
  }
  std::printf("language %d of %d\n", right, all);
  EXPECT_GE(right * 100, all * 97);
}

TEST(GuessLanguage, TellsRomanisedHindiFromDevanagari) {
  EXPECT_EQ(GuessLanguage("mujhe kal doctor se milna hai"), "hi-Latn");
  EXPECT_EQ(GuessLanguage("मुझे कल डॉक्टर से मिलना है"), "hi");
  EXPECT_EQ(GuessLanguage("मुझे appointment चाहिए please"), "hi");
}

TEST(GuessLanguage, KnowsArabicByItsScript) { EXPECT_EQ(GuessLanguage("مرحبا"), "ar"); }

TEST(GuessLanguage, KnowsTheLanguagesThatCameLater) {
  EXPECT_EQ(GuessLanguage("ich möchte einen Termin beim Hautarzt"), "de");
  EXPECT_EQ(GuessLanguage("saya mau daftar dokter gigi besok"), "id");
  EXPECT_EQ(GuessLanguage("nataka miadi na daktari kesho"), "sw");
  EXPECT_EQ(GuessLanguage("yarın için randevu almak istiyorum"), "tr");
  EXPECT_EQ(GuessLanguage("کل ڈاکٹر سے ملنا ہے"), "ur");
  EXPECT_EQ(GuessLanguage("কাল ডাক্তার দেখাতে চাই"), "bn");
  EXPECT_EQ(GuessLanguage("我想预约明天的牙科"), "zh");
}

TEST(GuessLanguage, FallsBackToTheHint) {
  EXPECT_EQ(GuessLanguage(""), "en");
  EXPECT_EQ(GuessLanguage("123"), "en");
  EXPECT_EQ(GuessLanguage("ok", "pt"), "pt");
  EXPECT_EQ(GuessLanguage("한국어"), "en");
  EXPECT_EQ(GuessLanguage("what are the visiting hours", "pt"), "en");
}

TEST(GuessLanguage, IsSafeOnAnyBytes) { GuessLanguage(std::string(100'000, '\xC3')); }

}  // namespace
}  // namespace medidesk::safety
