#include "safety/texts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace medidesk::safety {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

const Texts& TheTexts() {
  static const Texts texts = [] {
    auto made = Texts::Make(EmbeddedTexts());
    if (!made.ok()) ADD_FAILURE() << Text(made.status());
    return *std::move(made);
  }();
  return texts;
}

const SiteContacts kSite = {.emergency_number = "112",
                            .crisis_line = "14416",
                            .emergency_address = "Gate 2, Hillside Lane",
                            .emergency_phone = "+91 22 5550 0100",
                            .next_open = "",
                            .reply_minutes = ""};
const std::vector<std::string_view> kLanguages = {"en", "es", "hi", "hi-Latn", "ar", "pt", "fr",
                                                  "de", "ur", "bn", "id",      "sw", "tr", "zh"};
const std::vector<FixedKind> kAllKinds = {
    FixedKind::kEmergency, FixedKind::kCrisis, FixedKind::kDiscreet,    FixedKind::kLite,       FixedKind::kApology,
    FixedKind::kHandover,  FixedKind::kOptOut, FixedKind::kStale,       FixedKind::kCannotRead, FixedKind::kDisclosure,
    FixedKind::kClosed,    FixedKind::kCalm,   FixedKind::kWrongNumber, FixedKind::kClinical,   FixedKind::kPrivate};

Verdict VerdictOf(std::string family, Severity severity = Severity::kEmergency) {
  Verdict verdict;
  verdict.severity = severity;
  verdict.family = std::move(family);
  return verdict;
}

TEST(Texts, ExistForEveryKindInEveryLanguageAndDiffer) {
  for (const FixedKind kind : kAllKinds) {
    for (const auto language : kLanguages) {
      SCOPED_TRACE(language);
      EXPECT_TRUE(TheTexts().Has(kind, language));
      const std::string text = TheTexts().Fixed(kind, language, kSite);
      EXPECT_FALSE(text.empty());
      EXPECT_LT(text.size(), 1000u);
      EXPECT_THAT(text, Not(HasSubstr("{")));
      if (language != "en") {
        EXPECT_NE(text, TheTexts().Fixed(kind, "en", kSite));
      }
    }
  }
}

TEST(Texts, PutTheNumberInTheFirstLineBeforeAnyQuestion) {
  for (const auto language : kLanguages) {
    for (const std::string family : {"chest_pain", "violence"}) {
      const std::string text = TheTexts().Emergency(VerdictOf(family), language, kSite);
      EXPECT_THAT(text.substr(0, text.find('\n')), HasSubstr("112")) << language;
      EXPECT_THAT(text, Not(HasSubstr("?"))) << language;
      EXPECT_THAT(text, HasSubstr("Gate 2"));
    }
    const std::string crisis = TheTexts().Emergency(VerdictOf("self_harm"), language, kSite);
    EXPECT_LT(crisis.find("14416"), crisis.find("112")) << language;
    EXPECT_NE(crisis.find("14416"), std::string::npos) << language;
  }
}

TEST(Texts, FollowTheFamilyAndTheSeverity) {
  EXPECT_EQ(TheTexts().Emergency(VerdictOf("stroke"), "fr", kSite),
            TheTexts().Fixed(FixedKind::kEmergency, "fr", kSite));
  EXPECT_EQ(TheTexts().Emergency(VerdictOf("stroke", Severity::kLite), "fr", kSite),
            TheTexts().Fixed(FixedKind::kLite, "fr", kSite));
  EXPECT_EQ(TheTexts().Emergency(VerdictOf("self_harm", Severity::kLite), "fr", kSite),
            TheTexts().Fixed(FixedKind::kCrisis, "fr", kSite));
  EXPECT_EQ(TheTexts().Emergency(VerdictOf("", Severity::kNone), "fr", kSite), "");
}

TEST(Texts, SayNothingOfViolenceToAReaderBesideThePatient) {
  const std::string text = TheTexts().Emergency(VerdictOf("violence"), "en", kSite);
  for (const std::string_view word : {"violen", "abuse", "police", "hit", "husband", "partner", "safe"}) {
    EXPECT_THAT(text, Not(HasSubstr(std::string(word))));
  }
}

TEST(Texts, LeaveOutLinesWhoseValueTheSiteHasNotSet) {
  const std::string text = TheTexts().Fixed(FixedKind::kCrisis, "en", {});
  EXPECT_THAT(text, HasSubstr("your local emergency number"));
  EXPECT_THAT(text, Not(HasSubstr("come to us")));
  for (const auto language : kLanguages) {
    for (const FixedKind kind : kAllKinds) EXPECT_FALSE(TheTexts().Fixed(kind, language).empty());
  }
}

TEST(Texts, ClaimNoKnowledgeOfStaffThatNobodyTold) {
  const Texts texts = TheTexts();
  SiteContacts untold = kSite;
  untold.staff_told = false;
  for (const FixedKind kind : {FixedKind::kEmergency, FixedKind::kCrisis, FixedKind::kDiscreet, FixedKind::kLite}) {
    for (const std::string_view language : kLanguages) {
      const std::string told = texts.Fixed(kind, language, kSite), without = texts.Fixed(kind, language, untold);
      EXPECT_LT(without.size(), told.size()) << language;
      EXPECT_EQ(told.substr(0, without.size()), without) << "only the last line goes, " << language;
      EXPECT_EQ(told.find('{'), std::string::npos) << language;
    }
  }
}

TEST(Texts, FallBackToEnglish) {
  EXPECT_EQ(TheTexts().Fixed(FixedKind::kApology, "xx", kSite), TheTexts().Fixed(FixedKind::kApology, "en", kSite));
}

TEST(Texts, ShipUnapproved) { EXPECT_EQ(TheTexts().Unapproved().size(), kAllKinds.size() * kLanguages.size()); }

TEST(Texts, AreRefusedWithFileAndLine) {
  const auto error = [](std::string_view content) {
    return std::string(Text(Texts::Make({.name = "texts.txt", .content = content}).status()));
  };
  EXPECT_EQ(error("# x\n[emergency]\n"), "texts.txt:2: expected `[kind language]`");
  EXPECT_EQ(error("[emergancy en]\n"), "texts.txt:1: there is no text of this kind");
  EXPECT_EQ(error("Call\n"), "texts.txt:1: expected `[kind language]` first");
  EXPECT_EQ(error("[lite en]\nCall {number}\n"), "texts.txt:2: an unknown {value}");
  EXPECT_EQ(error("[lite en]\nCall {emergency_number\n"), "texts.txt:2: a { without its }");
  EXPECT_EQ(error("[lite en]\nCall\n[lite en]\n"), "texts.txt:3: this kind and language stood before");
  EXPECT_THAT(error("[lite en]\nCall\n"), EndsWith("[emergency en] is missing"));
}

}  // namespace
}  // namespace medidesk::safety
