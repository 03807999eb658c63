#include "gateway/wa/utf8.h"

#include <gtest/gtest.h>

namespace medidesk::gateway::wa {
namespace {

std::string Replaced(std::string_view text) { return ReplaceInvalidUtf8(AsBytes(text)); }

TEST(ReplaceInvalidUtf8, KeepsWhatIsValid) {
  for (const std::string_view text : {"", "plain", "Jos\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x92\x8A", "\xED\x9F\xBF",
                                      "\xEE\x80\x80", "\xF4\x8F\xBF\xBF", "\xE0\xA0\x80", "\xF0\x90\x80\x80"}) {
    EXPECT_EQ(Replaced(text), text);
  }
}

TEST(ReplaceInvalidUtf8, ReplacesEachStrayByte) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(Replaced("a\xFFz"), "a" + mark + "z");
  EXPECT_EQ(Replaced("\x80"), mark);
  EXPECT_EQ(Replaced("\xC3"), mark);                                   // cut short
  EXPECT_EQ(Replaced("\xE2\x82"), mark + mark);                        // cut short
  EXPECT_EQ(Replaced("\xE2\x82z"), mark + mark + "z");                 // no third byte
  EXPECT_EQ(Replaced("\xC0\xAF"), mark + mark);                        // overlong
  EXPECT_EQ(Replaced("\xE0\x9F\xBF"), mark + mark + mark);             // overlong
  EXPECT_EQ(Replaced("\xED\xA0\x80"), mark + mark + mark);             // a surrogate
  EXPECT_EQ(Replaced("\xF4\x90\x80\x80"), mark + mark + mark + mark);  // above U+10FFFF
}

}  // namespace
}  // namespace medidesk::gateway::wa
