#include "assistant/claude/stream_accumulator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace medidesk::assistant::claude {
namespace {

using ::testing::ElementsAre;

constexpr char kStart[] =
    R"({"type":"message_start","message":{"id":"msg_01A","model":"claude-haiku-5-5","content":[],"stop_reason":null,)"
    R"("usage":{"input_tokens":25,"cache_creation_input_tokens":3,"cache_read_input_tokens":9,"output_tokens":1}}})";
constexpr char kToolStart[] =
    R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_01B","name":"find_slots","input":{},"caller":{"type":"direct"}}})";
constexpr char kTextStart[] = R"({"index":0,"content_block":{"type":"text","text":""}})";

SseEvent Stop(int index) { return {"content_block_stop", R"({"index":)" + std::to_string(index) + "}"}; }
SseEvent Input(std::string_view json) {
  std::string data = R"({"index":0,"delta":{"type":"input_json_delta","partial_json":)";
  AppendJsonString(data, json);
  return {"content_block_delta", data + "}}"};
}
SseEvent Ends(std::string_view reason) {
  return {"message_delta", R"({"delta":{"stop_reason":")" + std::string(reason) +
                               R"("},"usage":{"input_tokens":25,"output_tokens":31,"cache_read_input_tokens":null}})"};
}
const SseEvent kMessageStop{"message_stop", R"({"type":"message_stop"})"};

absl::StatusOr<Response> Accumulate(const std::vector<SseEvent>& events, std::vector<std::string>* texts = nullptr) {
  StreamAccumulator accumulator;
  for (const SseEvent& event : events) {
    const auto step = accumulator.Add(event);
    if (!step.ok()) return step.status();
    if (texts != nullptr && !step->text.empty()) texts->push_back(step->text);
  }
  return accumulator.Finish();
}

TEST(StreamAccumulator, BuildsAToolCallFromItsPieces) {
  const auto response = Accumulate({{"message_start", kStart},
                                    {"content_block_start", kToolStart},
                                    {"ping", R"({"type":"ping"})"},
                                    Input(R"({"department":)"),
                                    Input(R"("ent"})"),
                                    Stop(0),
                                    Ends("tool_use"),
                                    kMessageStop});
  ASSERT_TRUE(response.ok()) << response.status();
  const auto tools = ToolUses(response->content);
  ASSERT_EQ(tools.size(), 1u);
  EXPECT_EQ(tools[0].input.text(), R"({"department":"ent"})");
  EXPECT_EQ(
      tools[0].raw,
      R"({"type":"tool_use","id":"toolu_01B","name":"find_slots","input":{"department":"ent"},"caller":{"type":"direct"}})");
  EXPECT_EQ(response->stop_reason, "tool_use");
  const Usage usage{.input_tokens = 25, .output_tokens = 31, .cache_read_tokens = 9, .cache_write_tokens = 3};
  EXPECT_EQ(response->usage, usage);
}

TEST(StreamAccumulator, TakesAnEmptyInputForAnEmptyObject) {
  const auto response = Accumulate(
      {{"message_start", kStart}, {"content_block_start", kToolStart}, Stop(0), Ends("tool_use"), kMessageStop});
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(ToolUses(response->content).at(0).input.text(), "{}");
}

TEST(StreamAccumulator, HandsOutTextAndHidesThinking) {
  std::vector<std::string> texts;
  const auto response = Accumulate(
      {{"message_start", kStart},
       {"content_block_start", R"({"index":0,"content_block":{"type":"thinking","thinking":"","signature":""}})"},
       {"content_block_delta", R"({"index":0,"delta":{"type":"thinking_delta","thinking":"hm"}})"},
       {"content_block_delta", R"({"index":0,"delta":{"type":"signature_delta","signature":"a"}})"},
       {"content_block_delta", R"({"index":0,"delta":{"type":"signature_delta","signature":"c2ln"}})"},
       Stop(0),
       {"content_block_start", R"({"index":1,"content_block":{"type":"text","text":"Of "}})"},
       {"content_block_delta", R"({"index":1,"delta":{"type":"text_delta","text":"course."}})"},
       {"content_block_delta", R"({"index":1,"delta":{"type":"citations_delta","citation":{"x":1}}})"},
       {"content_block_delta", R"({"index":1,"delta":{"type":"invented_delta","what":"?"}})"},
       {"invented_event", "not even JSON"},
       Stop(1),
       {"content_block_start", R"({"index":2,"content_block":{"type":"invented","a":1}})"},
       Stop(2),
       Ends("end_turn"),
       kMessageStop},
      &texts);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(texts, ElementsAre("Of ", "course."));
  EXPECT_EQ(JoinedText(response->content), "Of course.");
  EXPECT_EQ(std::get<OtherBlock>(response->content[0]).raw,
            R"({"type":"thinking","thinking":"hm","signature":"c2ln"})");
  EXPECT_EQ(std::get<TextBlock>(response->content[1]).raw,
            R"({"type":"text","text":"Of course.","citations":[{"x":1}]})");
  EXPECT_EQ(std::get<OtherBlock>(response->content[2]).raw, R"({"type":"invented","a":1})");
}

TEST(StreamAccumulator, ReportsAnErrorEvent) {
  StreamAccumulator accumulator;
  ASSERT_TRUE(accumulator.Add({"message_start", kStart}).ok());
  const auto step = accumulator.Add({"error", R"({"type":"error","error":{"type":"overloaded_error","message":"x"}})"});
  ASSERT_TRUE(step.ok());
  ASSERT_TRUE(step->error.has_value());
  EXPECT_EQ(step->error->type, "overloaded_error");
  EXPECT_FALSE(accumulator.Add(kMessageStop).ok());
}

TEST(StreamAccumulator, IsNotDoneBeforeMessageStop) {
  const std::vector<SseEvent> events = {
      {"message_start", kStart}, {"content_block_start", kTextStart}, Stop(0), Ends("end_turn")};
  EXPECT_EQ(Accumulate(events).status().code(), absl::StatusCode::kInternal);
}

TEST(StreamAccumulator, FailsOnABrokenToolInputUnlessTheAnswerWasCut) {
  std::vector<SseEvent> events = {{"message_start", kStart}, {"content_block_start", kToolStart},
                                  Input(R"({"depa)"),        Stop(0),
                                  Ends("tool_use"),          kMessageStop};
  EXPECT_FALSE(Accumulate(events).ok());
  events[4] = Ends("max_tokens");
  EXPECT_TRUE(Accumulate(events).ok());
}

TEST(StreamAccumulator, FailsWhenTheOrderIsBroken) {
  const SseEvent start{"message_start", kStart}, text{"content_block_start", kTextStart};
  const SseEvent delta{"content_block_delta", R"({"index":0,"delta":{"type":"text_delta","text":"x"}})"};
  EXPECT_FALSE(Accumulate({text}).ok());
  EXPECT_FALSE(Accumulate({start, start}).ok());
  EXPECT_FALSE(Accumulate({start, delta}).ok());
  EXPECT_FALSE(Accumulate({start, text, text}).ok());
  EXPECT_FALSE(Accumulate({start, text, Stop(1)}).ok());
  EXPECT_FALSE(Accumulate({start, text, Stop(0), delta}).ok());
  EXPECT_FALSE(Accumulate({start, {"content_block_start", R"({"index":7,"content_block":{"type":"text"}})"}}).ok());
  EXPECT_FALSE(Accumulate({start, {"content_block_start", R"({"index":-1,"content_block":{"type":"text"}})"}}).ok());
  EXPECT_FALSE(Accumulate({start, kMessageStop, start}).ok());
  EXPECT_FALSE(Accumulate({{"message_start", "[]"}}).ok());
  EXPECT_FALSE(Accumulate({{"message_start", "{"}}).ok());
}

TEST(StreamAccumulator, BoundsTheWhole) {
  StreamAccumulator accumulator;
  ASSERT_TRUE(accumulator.Add({"message_start", kStart}).ok());
  ASSERT_TRUE(accumulator.Add({"content_block_start", kTextStart}).ok());
  const std::string data = R"({"index":0,"delta":{"type":"text_delta","text":")" + std::string(500'000, 'x') + R"("}})";
  int taken = 0;
  while (taken < 100 && accumulator.Add({"content_block_delta", data}).ok()) ++taken;
  EXPECT_LT(taken, 20);
}

}  // namespace
}  // namespace medidesk::assistant::claude
