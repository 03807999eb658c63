#include "assistant/claude/raw_json.h"

#include <gtest/gtest.h>

namespace medidesk::assistant::claude {
namespace {

std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

TEST(RawJson, KeepsTheTextByteForByte) {
  const std::string text = R"({ "b": 1.0, "a": [true, null] })";
  EXPECT_EQ(RawJson::Parse(text).value().text(), text);
  EXPECT_EQ(RawJson().text(), "{}");
}

TEST(RawJson, RefusesWhatIsNotOneJsonValue) {
  for (const char* text : {"", "{", "{} {}", "nul", "{\"a\":}", "\"\xFF\"", "[1,]", "{'a':1}"}) {
    EXPECT_EQ(RawJson::Parse(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(RawJson, ChecksTheKind) {
  EXPECT_TRUE(RawJson::ParseObject("{}").ok());
  EXPECT_FALSE(RawJson::ParseObject("[]").ok());
  EXPECT_TRUE(RawJson::ParseArray("[]").ok());
  EXPECT_FALSE(RawJson::ParseArray("{}").ok());
}

TEST(RawJson, BoundsDepthAndSize) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(RawJson::Parse(nested(RawJson::kMaxDepth)).ok());
  EXPECT_FALSE(RawJson::Parse(nested(RawJson::kMaxDepth + 1)).ok());
  EXPECT_FALSE(RawJson::Parse(nested(400'000)).ok());
  EXPECT_FALSE(RawJson::Parse('"' + std::string(RawJson::kMaxBytes, 'x') + '"').ok());
}

TEST(AppendJsonString, EscapesWhatJsonWants) {
  EXPECT_EQ(Quoted("a\"b\\c\nd\te\x01"), R"("a\"b\\c\nd\u0009e\u0001")");
  EXPECT_EQ(Quoted("नमस्ते 👋 é"), "\"नमस्ते 👋 é\"");
  EXPECT_EQ(Quoted(std::string_view("\0", 1)), R"("\u0000")");
}

TEST(AppendJsonString, ReplacesBytesThatAreNotUtf8) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(Quoted("a\xFFz"), "\"a" + bad + "z\"");
  EXPECT_EQ(Quoted("\xC0\x80"), '"' + bad + bad + '"');            // overlong
  EXPECT_EQ(Quoted("\xED\xA0\x80"), '"' + bad + bad + bad + '"');  // surrogate
  EXPECT_EQ(Quoted("\xF0\x9F\x91"), '"' + bad + bad + bad + '"');  // cut
  EXPECT_EQ(Quoted("\xF4\x90\x80\x80"), '"' + bad + bad + bad + bad + '"');
}

TEST(AppendJsonString, AlwaysMakesValidJson) {
  for (int lead = 0; lead < 256; ++lead) {
    for (int tail = 0; tail < 256; ++tail) {
      const std::string text = {static_cast<char>(lead), static_cast<char>(tail)};
      ASSERT_TRUE(RawJson::Parse(Quoted(text)).ok()) << lead << ' ' << tail;
    }
  }
}

}  // namespace
}  // namespace medidesk::assistant::claude
