#include "assistant/claude/sse_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace medidesk::assistant::claude {
namespace {

using ::testing::ElementsAre;

std::vector<SseEvent> Drain(SseParser& parser) {
  std::vector<SseEvent> events;
  while (auto event = parser.Next()) events.push_back(*std::move(event));
  return events;
}

std::vector<SseEvent> Parse(std::string_view bytes) {
  SseParser parser;
  EXPECT_TRUE(parser.Feed(bytes).ok());
  return Drain(parser);
}

TEST(SseParser, ReadsNameAndData) {
  EXPECT_THAT(Parse("event: ping\ndata: {\"a\":1}\n\n"), ElementsAre(SseEvent{"ping", "{\"a\":1}"}));
}

TEST(SseParser, TakesEveryLineEnding) {
  const SseEvent event{"a", "1"};
  EXPECT_THAT(Parse("event: a\r\ndata: 1\r\n\r\n"), ElementsAre(event));
  EXPECT_THAT(Parse("event: a\rdata: 1\r\r"), ElementsAre(event));
  EXPECT_THAT(Parse("event: a\ndata: 1\r\n\rdata: 2\n\n"), ElementsAre(event, SseEvent{"message", "2"}));
}

TEST(SseParser, GivesTheSameEventsHoweverTheBytesAreCut) {
  const std::string stream =
      "\xEF\xBB\xBF: hello\r\nevent: one\r\ndata: \xE0\xA4\xA8\xE0\xA4\xAE\r\ndata:two\r\n\r\nevent: skipped\r\n\r\n"
      "data: \xF0\x9F\x91\x8B\r\rid: 7\ndata\ndata: x\n\nretry: 5\n";
  const std::vector<SseEvent> whole = Parse(stream);
  ASSERT_THAT(whole, ElementsAre(SseEvent{"one", "\xE0\xA4\xA8\xE0\xA4\xAE\ntwo"},
                                 SseEvent{"message", "\xF0\x9F\x91\x8B"}, SseEvent{"message", "\nx"}));
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    SseParser parser;
    ASSERT_TRUE(parser.Feed(stream.substr(0, cut)).ok());
    ASSERT_TRUE(parser.Feed(stream.substr(cut)).ok());
    EXPECT_EQ(Drain(parser), whole) << "cut at " << cut;
  }
  SseParser parser;
  for (const char byte : stream) ASSERT_TRUE(parser.Feed({&byte, 1}).ok());
  EXPECT_EQ(Drain(parser), whole);
}

TEST(SseParser, StripsOneSpaceOnly) { EXPECT_THAT(Parse("data:  x \n\n"), ElementsAre(SseEvent{"message", " x "})); }

TEST(SseParser, CountsAnEventOnlyAfterItsBlankLine) {
  EXPECT_TRUE(Parse("event: a\ndata: 1\n").empty());
  EXPECT_TRUE(Parse("event: a\n\n").empty());
  EXPECT_TRUE(Parse(": only a comment\n\n").empty());
}

TEST(SseParser, StaysBrokenAfterALineAboveTheLimit) {
  SseParser parser(16);
  EXPECT_TRUE(parser.Feed("data: 1\n\n").ok());
  EXPECT_EQ(parser.Feed("data: 123456").code(), absl::StatusCode::kOk);
  EXPECT_EQ(parser.Feed("7890123").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(parser.Feed("\n\n").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Drain(parser), ElementsAre(SseEvent{"message", "1"}));
}

TEST(SseParser, BoundsAnEventOfManyLines) {
  SseParser parser(64);
  absl::Status status;
  for (int i = 0; i < 20 && status.ok(); ++i) status = parser.Feed("data: 12345678\n");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

TEST(SseParser, BoundsAnEventOfEmptyLines) {
  SseParser parser(64);
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) status = parser.Feed("data\n");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace medidesk::assistant::claude
