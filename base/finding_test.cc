#include "base/finding.h"

#include <gtest/gtest.h>

namespace medidesk {
namespace {

TEST(Finding, IsOneLineOfJson) {
  const Finding finding{FindingLevel::kWarning, "disk", "a \"full\"\ndisk", "back\\slash"};
  EXPECT_EQ(ToJson(finding),
            R"({"check":"disk","level":"warning","what":"a \"full\"\u000adisk","cure":"back\\slash"})");
}

TEST(Finding, NamesItsLevel) {
  EXPECT_EQ(Name(FindingLevel::kOk), "ok");
  EXPECT_EQ(Name(FindingLevel::kSkipped), "skipped");
  EXPECT_EQ(Name(FindingLevel::kError), "error");
}

}  // namespace
}  // namespace medidesk
