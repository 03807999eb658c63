#include "store/clean_text.h"

#include <gtest/gtest.h>

namespace medidesk::store {
namespace {

using namespace std::string_literals;

TEST(CleanText, KeepsValidText) {
  for (const std::string& text : {""s, "hello"s, "नमस्ते"s, "مرحبا"s, "😀 ok"s, "\xf4\x8f\xbf\xbf"s})
    EXPECT_EQ(CleanText(text), text);
}

TEST(CleanText, ReplacesWhatPostgresRefuses) {
  EXPECT_EQ(CleanText("a\0b"s), "a\xef\xbf\xbd"s + "b");
  EXPECT_EQ(CleanText("\xff"), "\xef\xbf\xbd");
  EXPECT_EQ(CleanText("\xc0\x80"), "\xef\xbf\xbd\xef\xbf\xbd");              // overlong NUL
  EXPECT_EQ(CleanText("\xed\xa0\x80").find("\xed\xa0"), std::string::npos);  // surrogate
  EXPECT_EQ(CleanText("\xf5\x80\x80\x80").substr(0, 3), "\xef\xbf\xbd");
  EXPECT_EQ(CleanText("ok\xe2\x82"), "ok\xef\xbf\xbd\xef\xbf\xbd");  // cut inside a code point
}

TEST(CleanText, CutsAtACodePointAndSaysSo) {
  EXPECT_EQ(CleanText("abcdef", 6), "abcdef");
  EXPECT_EQ(CleanText("abcdefg", 6), "abc\xe2\x80\xa6");
  EXPECT_EQ(CleanText("ab\xe2\x82\xac\xe2\x82\xac", 7), "ab\xe2\x80\xa6");
  EXPECT_LE(CleanText(std::string(100'000, 'x')).size(), kMaxTextBytes);
  EXPECT_LE(CleanText(std::string(100'000, '\0')).size(), kMaxTextBytes);
}

}  // namespace
}  // namespace medidesk::store
