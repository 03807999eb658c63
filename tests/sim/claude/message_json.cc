#include "tests/sim/claude/message_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace medidesk::claude_stub {
namespace {

namespace json = boost::json;

bool HasType(const json::value& block, std::string_view type) {
  const json::object* object = block.if_object();
  const json::value* found = object == nullptr ? nullptr : object->if_contains("type");
  return found != nullptr && found->is_string() && found->get_string() == json::string_view(type.data(), type.size());
}

void Default(json::object& object, std::string_view key, json::value value) {
  if (object.if_contains(key) == nullptr) object.emplace(key, std::move(value));
}

// About four bytes a token, as English text has.
std::int64_t TokensOf(std::size_t bytes) { return static_cast<std::int64_t>(bytes / 4 + 1); }

void Complete(json::value& block, const MessageFrame& frame) {
  json::object* object = block.if_object();
  if (object == nullptr) return;
  if (HasType(block, "text")) {
    Default(*object, "text", "");
    Default(*object, "citations", nullptr);
  } else if (HasType(block, "tool_use")) {
    Default(*object, "id", json::string(frame.new_id("toolu_")));
    Default(*object, "name", "");
    Default(*object, "input", json::object());
    Default(*object, "caller", json::object{{"type", "direct"}});
  } else if (HasType(block, "thinking")) {
    Default(*object, "thinking", "");
    Default(*object, "signature", json::string(frame.new_id("sig_")));
  }
}

json::object Usage(const MessageFrame& frame, std::int64_t output_tokens) {
  return json::object{
      {"input_tokens", frame.input_tokens},
      {"cache_creation_input_tokens", 0},
      {"cache_read_input_tokens", 0},
      {"cache_creation", json::object{{"ephemeral_5m_input_tokens", 0}, {"ephemeral_1h_input_tokens", 0}}},
      {"output_tokens", output_tokens},
      {"output_tokens_details", json::object{{"thinking_tokens", 0}}},
      {"server_tool_use", nullptr},
      {"service_tier", "standard"},
      {"inference_geo", "us"},
      {"speed", nullptr}};
}

}  // namespace

json::object BuildMessage(Reply reply, const MessageFrame& frame) {
  bool calls_tool = false;
  std::size_t bytes = 0;
  for (json::value& block : reply.content) {
    Complete(block, frame);
    calls_tool = calls_tool || HasType(block, "tool_use");
    const json::object* object = block.if_object();
    const json::value* text = HasType(block, "text") ? object->if_contains("text") : nullptr;
    bytes += text != nullptr && text->is_string() ? text->get_string().size() : json::serialize(block).size();
  }
  json::object usage = Usage(frame, TokensOf(bytes));
  for (const auto& counter : reply.usage) usage[counter.key()] = counter.value();
  if (reply.stop_reason.empty()) reply.stop_reason = calls_tool ? "tool_use" : "end_turn";

  json::object message;
  message.reserve(11);
  message.emplace("id", frame.new_id("msg_"));
  message.emplace("type", "message");
  message.emplace("role", "assistant");
  message.emplace("model", frame.model);
  message.emplace("content", std::move(reply.content));
  message.emplace("stop_reason", reply.stop_reason);
  message.emplace("stop_sequence", nullptr);
  message.emplace("stop_details", std::move(reply.stop_details));
  message.emplace("container", nullptr);
  message.emplace("diagnostics", nullptr);
  message.emplace("usage", std::move(usage));
  return message;
}

Reply TextReply(std::string_view text) {
  json::object block;
  block.emplace("type", "text");
  block.emplace("text", text);
  Reply reply;
  reply.content.push_back(std::move(block));
  return reply;
}

}  // namespace medidesk::claude_stub
