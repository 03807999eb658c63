// JSON of the API for tests.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "assistant/claude/raw_json.h"
#include "assistant/claude/testing/scripted_peer.h"

namespace medidesk::assistant::claude::testing {

inline std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

// A 200 body; `content` is the array's JSON.
inline std::string AnswerBody(std::string_view content, std::string_view stop_reason = "end_turn") {
  const std::string reason = stop_reason.empty() ? "null" : Quoted(stop_reason);
  return fmt::format(
      R"({{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-5-5","content":{},"stop_reason":{},)"
      R"("stop_sequence":null,"stop_details":null,"usage":{{"input_tokens":61,"cache_creation_input_tokens":5,)"
      R"("cache_read_input_tokens":1874,"output_tokens":74,"server_tool_use":null}},"future":[1]}})",
      content, reason);
}

inline std::string TextBody(std::string_view text, std::string_view stop_reason = "end_turn") {
  return AnswerBody(fmt::format(R"([{{"type":"text","text":{},"citations":null}}])", Quoted(text)), stop_reason);
}

inline std::string ErrorBody(std::string_view type, std::string_view code = {}) {
  const std::string details = code.empty() ? "" : fmt::format(R"(,"details":{{"error_code":"{}"}})", code);
  return fmt::format(
      R"({{"type":"error","error":{{"type":"{}","message":"secret words of a patient"{}}},"request_id":"req_body"}})",
      type, details);
}

// The frames of a stream that says `pieces`.
inline std::vector<std::string> TextFrames(const std::vector<std::string>& pieces,
                                           std::string_view stop_reason = "end_turn") {
  std::vector<std::string> frames;
  frames.push_back(SseFrame(
      "message_start",
      R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-5-5",)"
      R"("content":[],"stop_reason":null,"usage":{"input_tokens":25,"cache_read_input_tokens":7,"output_tokens":1}}})"));
  frames.push_back(SseFrame("ping", R"({"type":"ping"})"));
  if (!pieces.empty()) {
    frames.push_back(SseFrame("content_block_start",
                              R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})"));
    for (const std::string& piece : pieces) {
      frames.push_back(SseFrame(
          "content_block_delta",
          fmt::format(R"({{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":{}}}}})",
                      Quoted(piece))));
    }
    frames.push_back(SseFrame("content_block_stop", R"({"type":"content_block_stop","index":0})"));
  }
  frames.push_back(SseFrame(
      "message_delta",
      fmt::format(
          R"({{"type":"message_delta","delta":{{"stop_reason":"{}"}},"usage":{{"input_tokens":25,"output_tokens":31}}}})",
          stop_reason)));
  frames.push_back(SseFrame("message_stop", R"({"type":"message_stop"})"));
  return frames;
}

}  // namespace medidesk::assistant::claude::testing
