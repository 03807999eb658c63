#include "tests/sim/claude/event_stream.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/claude/message_json.h"

namespace medidesk::claude_stub {
namespace {

namespace json = boost::json;

json::object Build(std::string_view content) {
  Reply reply;
  reply.content = json::parse(json::string_view(content.data(), content.size())).as_array();
  int ids = 0;
  return BuildMessage(std::move(reply),
                      {.model = "claude-haiku-5-5", .input_tokens = 7, .new_id = [&](std::string_view prefix) {
                         return std::string(prefix) + std::to_string(++ids);
                       }});
}

// The JSON of every frame; checks the framing.
std::vector<json::value> Data(const std::vector<StreamEvent>& events) {
  std::vector<json::value> all;
  for (const StreamEvent& event : events) {
    const std::size_t line = event.frame.find("\ndata: ");
    EXPECT_TRUE(event.frame.starts_with("event: ") && event.frame.ends_with("\n\n") && line != std::string::npos);
    const std::string data = event.frame.substr(line + 7, event.frame.size() - line - 9);
    EXPECT_EQ(data.find('\n'), std::string::npos);
    json::error_code error;
    all.push_back(json::parse(data, error));  // fails on a cut code point
    EXPECT_FALSE(error) << data;
    EXPECT_EQ(all.back().at("type").as_string(), event.frame.substr(7, line - 7));
  }
  return all;
}

TEST(SplitText, CutsBetweenCodePointsOnly) {
  const std::string text = "aé🏥नमस्ते z";
  for (std::size_t pieces = 1; pieces < 20; ++pieces) {
    std::string joined;
    for (const std::string_view part : SplitText(text, pieces)) {
      ASSERT_FALSE(part.empty());
      EXPECT_NE(static_cast<unsigned char>(part.front()) & 0xC0, 0x80) << "starts inside a code point";
      joined += part;
    }
    EXPECT_EQ(joined, text);
  }
  EXPECT_EQ(SplitText("🏥🏥🏥", 3).size(), 3u);
  EXPECT_EQ(SplitText("🏥", 3).size(), 1u);
  EXPECT_TRUE(SplitText("", 3).empty());
}

TEST(BuildEvents, AddsUpToTheMessage) {
  const json::object message = Build(R"([{"type":"thinking","thinking":"so so","signature":"c2ln"},
      {"type":"text","text":"Grüße 🏥 und bis bald, wir sehen uns am Montag um neun","citations":[{"type":"x"}]},
      {"type":"tool_use","name":"find_slots","input":{"a":"é🏥","b":[1,2]}},{"type":"redacted_thinking","data":"zz"}])");
  const std::vector<json::value> data = Data(BuildEvents(message));
  EXPECT_EQ(data[0].at("type").as_string(), "message_start");
  EXPECT_TRUE(data[0].at("message").at("content").as_array().empty());
  EXPECT_TRUE(data[0].at("message").at("stop_reason").is_null());
  EXPECT_EQ(data[1].at("type").as_string(), "ping");

  json::array blocks;
  std::string buffer;
  for (const json::value& event : data) {
    const std::string type(event.at("type").as_string());
    if (type == "content_block_start") {
      EXPECT_EQ(event.at("index").to_number<std::size_t>(), blocks.size());
      blocks.push_back(event.at("content_block"));
      buffer.clear();
    } else if (type == "content_block_delta") {
      json::object& block = blocks.back().as_object();
      const json::object& delta = event.at("delta").as_object();
      const std::string kind(delta.at("type").as_string());
      if (kind == "text_delta") block["text"].as_string() += delta.at("text").as_string();
      if (kind == "thinking_delta") block["thinking"].as_string() += delta.at("thinking").as_string();
      if (kind == "signature_delta") block["signature"] = delta.at("signature");
      if (kind == "input_json_delta") buffer += std::string(delta.at("partial_json").as_string());
      if (kind == "citations_delta") {
        if (block["citations"].is_null()) block["citations"] = json::array();
        block["citations"].as_array().push_back(delta.at("citation"));
      }
    } else if (type == "content_block_stop" && !buffer.empty()) {
      blocks.back().as_object()["input"] = json::parse(buffer);
    }
  }
  EXPECT_EQ(json::value(blocks), message.at("content"));
  EXPECT_EQ(data[data.size() - 2].at("delta").at("stop_reason").as_string(), "tool_use");
  EXPECT_EQ(data[data.size() - 2].at("usage").at("output_tokens"), message.at("usage").at("output_tokens"));
  EXPECT_EQ(data.back().at("type").as_string(), "message_stop");
}

TEST(BuildEvents, SendsShortTextsInSeveralDeltas) {
  const std::vector<StreamEvent> events = BuildEvents(Build(R"([{"type":"text","text":"abc"}])"));
  EXPECT_EQ(std::count_if(events.begin(), events.end(), [](const StreamEvent& event) { return event.delta; }), 3);
}

TEST(BuildEvents, GivesAnEmptyMessageNoBlocks) {
  const std::vector<json::value> data = Data(BuildEvents(Build("[]")));
  ASSERT_EQ(data.size(), 4u);
  EXPECT_EQ(data[2].at("type").as_string(), "message_delta");
}

}  // namespace
}  // namespace medidesk::claude_stub
