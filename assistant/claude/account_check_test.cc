#include "assistant/claude/account_check.h"

#include <gtest/gtest.h>

namespace medidesk::assistant::claude {
namespace {

TEST(JudgeEnd, WarnsBeforeAModelsLastDayAndFailsFromThenOn) {
  EXPECT_EQ(JudgeEnd("m", "2026-11-30", "2026-09-30").level, FindingLevel::kOk);
  const Finding soon = JudgeEnd("m", "2026-11-30T00:00:00Z", "2026-11-24");
  EXPECT_EQ(soon.level, FindingLevel::kWarning);
  EXPECT_EQ(soon.what, "the model m retires on 2026-11-30, in 6 days");
  const Finding gone = JudgeEnd("m", "2026-11-30", "2026-11-30");
  EXPECT_EQ(gone.level, FindingLevel::kError);
  EXPECT_EQ(gone.what, "the model m was retired on 2026-11-30");
  EXPECT_NE(gone.cure, "");
}

TEST(JudgeEnd, TakesAModelWithoutADayAsOffered) {
  EXPECT_EQ(JudgeEnd("m", "", "2026-11-24").level, FindingLevel::kOk);
  EXPECT_EQ(JudgeEnd("m", "some day", "2026-11-24").level, FindingLevel::kOk);
}

TEST(AnnouncedEnd, KnowsTheOriginalsModel) {
  EXPECT_EQ(AnnouncedEnd("claude-sonnet-4-20250514"), "2026-06-15");
  EXPECT_EQ(AnnouncedEnd("claude-haiku-5-5"), "");
}

TEST(CheckAccount, RefusesAKeyThatNoHeaderCanCarry) {
  ClientOptions options;
  options.api_key = ApiKey("sk\r\nx-evil: 1");
  const auto findings = CheckAccount(options, std::chrono::milliseconds(10));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].level, FindingLevel::kError);
}

}  // namespace
}  // namespace medidesk::assistant::claude
