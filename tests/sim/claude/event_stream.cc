#include "tests/sim/claude/event_stream.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace medidesk::claude_stub {
namespace {

namespace json = boost::json;

constexpr std::size_t kMinPieces = 3, kMaxPieces = 32;
constexpr std::size_t kPieceBytes = 32;

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

std::size_t PiecesOf(std::string_view text) { return std::clamp(text.size() / kPieceBytes, kMinPieces, kMaxPieces); }

class Builder {
 public:
  void Add(std::string_view event, json::object data) {
    json::object typed;
    typed.emplace("type", event);
    for (auto& field : data) typed.emplace(field.key(), std::move(field.value()));
    events_.push_back({.frame = Frame(event, json::serialize(typed)),
                       .delta = event == "content_block_delta",
                       .ends_message = event == "message_delta"});
  }

  void Delta(std::size_t index, std::string_view type, std::string_view field, json::value value) {
    json::object delta;
    delta.emplace("type", type);
    delta.emplace(field, std::move(value));
    json::object data;
    data.emplace("index", static_cast<std::int64_t>(index));
    data.emplace("delta", std::move(delta));
    Add("content_block_delta", std::move(data));
  }

  void TextDeltas(std::size_t index, std::string_view type, std::string_view field, std::string_view text) {
    for (const std::string_view piece : SplitText(text, PiecesOf(text))) {
      Delta(index, type, field, json::string(piece));
    }
  }

  void Block(std::size_t index, const json::value& block) {
    json::object start = block.is_object() ? block.get_object() : json::object();
    const std::string type = start.if_contains("type") != nullptr && start.at("type").is_string()
                                 ? std::string(View(start.at("type").get_string()))
                                 : std::string();
    const json::value text = Cut(start, "text", ""), thinking = Cut(start, "thinking", "");
    const json::value signature = Cut(start, "signature", "");
    const json::value input = type == "tool_use" ? Cut(start, "input", json::object()) : json::value();
    const json::value citations = type == "text" ? Cut(start, "citations", nullptr) : json::value();
    json::object data;
    data.emplace("index", static_cast<std::int64_t>(index));
    data.emplace("content_block", std::move(start));
    Add("content_block_start", std::move(data));
    if (text.is_string()) TextDeltas(index, "text_delta", "text", View(text.get_string()));
    if (citations.is_array()) {
      for (const json::value& citation : citations.get_array()) Delta(index, "citations_delta", "citation", citation);
    }
    if (thinking.is_string()) TextDeltas(index, "thinking_delta", "thinking", View(thinking.get_string()));
    if (signature.is_string()) Delta(index, "signature_delta", "signature", signature);
    if (!input.is_null()) {
      Delta(index, "input_json_delta", "partial_json", "");  // as the API does
      TextDeltas(index, "input_json_delta", "partial_json", json::serialize(input));
    }
    json::object stop;
    stop.emplace("index", static_cast<std::int64_t>(index));
    Add("content_block_stop", std::move(stop));
  }

  std::vector<StreamEvent> Take() { return std::move(events_); }

 private:
  // The field's value, which the block's start leaves empty; null when it is not there.
  static json::value Cut(json::object& block, std::string_view key, json::value empty) {
    json::value* found = block.if_contains(key);
    if (found == nullptr) return nullptr;
    json::value value = std::move(*found);
    *found = std::move(empty);
    return value;
  }

  std::vector<StreamEvent> events_;
};

}  // namespace

std::string Frame(std::string_view event, std::string_view data) {
  return fmt::format("event: {}\ndata: {}\n\n", event, data);
}

std::vector<std::string_view> SplitText(std::string_view text, std::size_t pieces) {
  std::vector<std::size_t> starts;  // of code points
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) starts.push_back(i);
  }
  pieces = std::min(pieces, starts.size());
  std::vector<std::string_view> parts;
  for (std::size_t i = 0; i < pieces; ++i) {
    const std::size_t from = starts[i * starts.size() / pieces];
    const std::size_t to = i + 1 == pieces ? text.size() : starts[(i + 1) * starts.size() / pieces];
    parts.push_back(text.substr(from, to - from));
  }
  return parts;
}

std::vector<StreamEvent> BuildEvents(const json::object& message) {
  Builder builder;
  json::object start = message;
  start["content"] = json::array();
  start["stop_reason"] = nullptr;
  start["stop_sequence"] = nullptr;
  start["stop_details"] = nullptr;
  start["usage"].as_object()["output_tokens"] = 1;
  json::object started;
  started.emplace("message", std::move(start));
  builder.Add("message_start", std::move(started));
  builder.Add("ping", {});

  const json::array& content = message.at("content").get_array();
  for (std::size_t index = 0; index < content.size(); ++index) builder.Block(index, content[index]);

  json::object delta, usage, last;
  for (const char* key : {"stop_reason", "stop_sequence", "stop_details", "container"}) {
    delta.emplace(key, message.at(key));
  }
  const json::object& counters = message.at("usage").get_object();
  for (const char* key : {"input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens",
                          "output_tokens_details", "server_tool_use"}) {
    if (const json::value* counter = counters.if_contains(key)) usage.emplace(key, *counter);
  }
  last.emplace("delta", std::move(delta));
  last.emplace("usage", std::move(usage));
  builder.Add("message_delta", std::move(last));
  builder.Add("message_stop", {});
  return builder.Take();
}

}  // namespace medidesk::claude_stub
