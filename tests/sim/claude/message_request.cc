#include "tests/sim/claude/message_request.h"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace medidesk::claude_stub {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 200;         // of nested JSON; tool schemas are the deep ones
constexpr std::size_t kMaxMessages = 100'000;  // the vendor's limit

ApiError Invalid(std::string message) { return {.status = 400, .message = std::move(message)}; }

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

const json::string* StringAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_string();
}

bool HasType(const json::object& block, std::string_view type) {
  const json::string* found = StringAt(block, "type");
  return found != nullptr && View(*found) == type;
}

// Role and content of every message have the right shape.
std::optional<ApiError> CheckMessages(const json::array& messages) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const json::object* message = messages[i].if_object();
    if (message == nullptr) return Invalid(fmt::format("messages.{}: expected an object", i));
    const json::string* role = StringAt(*message, "role");
    if (role == nullptr || (*role != "user" && *role != "assistant" && *role != "system")) {
      return Invalid(fmt::format("messages.{}.role: expected 'user', 'assistant' or 'system'", i));
    }
    const json::value* content = message->if_contains("content");
    if (content != nullptr && content->is_string()) continue;
    if (content == nullptr || !content->is_array()) {
      return Invalid(fmt::format("messages.{}.content: expected a string or an array of blocks", i));
    }
    const json::array& blocks = content->get_array();
    for (std::size_t k = 0; k < blocks.size(); ++k) {
      const json::object* block = blocks[k].if_object();
      if (block == nullptr || StringAt(*block, "type") == nullptr) {
        return Invalid(fmt::format("messages.{}.content.{}: expected an object with a type", i, k));
      }
      const json::string* text = StringAt(*block, "text");
      if (HasType(*block, "text") && (text == nullptr || text->empty())) {
        return Invalid(fmt::format("messages.{}.content.{}.text: text content blocks must be non-empty", i, k));
      }
    }
  }
  return std::nullopt;
}

// Every tool_use is answered by exactly one tool_result in the turn that follows, before any other
// block of it; no tool_result answers anything else. Neighbours of one role are one turn.
std::optional<ApiError> CheckToolPairing(const json::array& messages) {
  std::vector<std::string_view> open;   // ids the turn before asks for
  std::vector<std::string_view> asked;  // ids of the turn being read
  std::string_view turn_role;
  bool results_over = false;  // another block came in this turn
  const auto end_turn = [&](std::size_t i) -> std::optional<ApiError> {
    if (!open.empty()) {
      return Invalid(
          fmt::format("messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after", i));
    }
    open = std::move(asked);
    asked.clear();
    results_over = false;
    return std::nullopt;
  };
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const json::object& message = messages[i].get_object();
    const std::string_view role = View(message.at("role").get_string());
    if (role != turn_role) {
      if (!turn_role.empty()) {
        if (auto error = end_turn(i)) return error;
      }
      turn_role = role;
    }
    const json::array* blocks = message.at("content").if_array();
    if (blocks == nullptr) {
      results_over = true;
      continue;
    }
    for (std::size_t k = 0; k < blocks->size(); ++k) {
      const json::object& block = (*blocks)[k].get_object();
      if (HasType(block, "tool_use")) {
        const json::string* id = StringAt(block, "id");
        const json::string* name = StringAt(block, "name");
        const json::value* input = block.if_contains("input");
        if (role != "assistant" || id == nullptr || id->empty() || name == nullptr || input == nullptr ||
            !input->is_object()) {
          return Invalid(fmt::format(
              "messages.{}.content.{}: a `tool_use` block is an assistant's and has id, name and an input object", i,
              k));
        }
        asked.push_back(View(*id));
      } else if (HasType(block, "tool_result")) {
        const json::string* id = StringAt(block, "tool_use_id");
        if (role != "user" || id == nullptr) {
          return Invalid(
              fmt::format("messages.{}.content.{}: a `tool_result` block is a user's and has a tool_use_id", i, k));
        }
        const auto found = std::find(open.begin(), open.end(), View(*id));
        if (found == open.end() || results_over) {
          return Invalid(
              fmt::format("messages.{}.content.{}: `tool_result` blocks come first in their turn, one for "
                          "each `tool_use` of the previous message",
                          i, k));
        }
        open.erase(found);
      } else {
        results_over = true;
      }
    }
  }
  if (auto error = end_turn(messages.size())) return error;
  if (!open.empty()) {
    return Invalid(fmt::format("messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after",
                               messages.size() - 1));
  }
  return std::nullopt;
}

// Text of a string or of the text blocks of an array, joined by line ends.
void AppendText(const json::value& content, std::string& text) {
  const auto append = [&](std::string_view more) {
    if (!text.empty()) text += '\n';
    text += more;
  };
  if (const json::string* whole = content.if_string()) append(View(*whole));
  const json::array* blocks = content.if_array();
  if (blocks == nullptr) return;
  for (const json::value& value : *blocks) {
    const json::object* block = value.if_object();
    if (block == nullptr || !HasType(*block, "text")) continue;
    if (const json::string* part = StringAt(*block, "text")) append(View(*part));
  }
}

void ReadTexts(const json::object& body, const json::array& messages, bool want_system, MessageRequest& parsed) {
  for (std::size_t i = messages.size(); i-- > 0 && parsed.user_text.empty();) {
    const json::object& message = messages[i].get_object();
    if (message.at("role").get_string() != "user") continue;
    const json::value& content = message.at("content");
    if (const json::string* text = content.if_string()) {
      parsed.user_text = View(*text);
      continue;
    }
    const json::array& blocks = content.get_array();
    for (std::size_t k = blocks.size(); k-- > 0 && parsed.user_text.empty();) {
      const json::object& block = blocks[k].get_object();
      if (HasType(block, "text")) parsed.user_text = View(block.at("text").get_string());
    }
  }
  if (const json::array* blocks = messages.back().get_object().at("content").if_array()) {
    for (const json::value& value : *blocks) {
      const json::object& block = value.get_object();
      if (!HasType(block, "tool_result")) continue;
      parsed.answers_tools = true;
      const json::value* content = block.if_contains("content");
      if (want_system && content != nullptr) AppendText(*content, parsed.tool_text);
    }
  }
  const json::value* system = body.if_contains("system");
  if (want_system && system != nullptr) AppendText(*system, parsed.system_text);
}

}  // namespace

std::optional<ApiError> CheckCredential(const Request& request) {
  std::string_view credential;
  if (const std::string* key = request.Header("x-api-key")) {
    credential = *key;
  } else if (const std::string* authorization = request.Header("authorization")) {
    constexpr std::string_view kScheme = "bearer ";
    std::string scheme = authorization->substr(0, kScheme.size());
    std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    if (scheme == kScheme) credential = std::string_view(*authorization).substr(kScheme.size());
  }
  if (credential.empty()) {
    return ApiError{.status = 401, .message = "x-api-key or authorization header is required"};
  }
  if (credential == "invalid") return ApiError{.status = 401, .message = "invalid x-api-key"};
  return std::nullopt;
}

std::optional<ApiError> CheckVersion(const Request& request) {
  const std::string* version = request.Header("anthropic-version");
  if (version == nullptr) return Invalid("anthropic-version: header is required");
  if (*version != kVersion && *version != kOldVersion) {
    return Invalid("anthropic-version: not a valid version");
  }
  return std::nullopt;
}

std::optional<ApiError> ReadMessageRequest(const Request& request, const MessageRules& rules, MessageRequest& parsed) {
  json::monotonic_resource memory;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::error_code error;
  const std::string_view text = request.body ? std::string_view(*request.body) : std::string_view();
  const json::value value = json::parse(json::string_view(text.data(), text.size()), error, &memory, options);
  if (error) return Invalid("The request body is not valid JSON");
  const json::object* body = value.if_object();
  if (body == nullptr) return Invalid("The request body is not a JSON object");

  const json::string* model = StringAt(*body, "model");
  if (model == nullptr || model->empty()) return Invalid("model: a non-empty string is required");

  if (!rules.counting) {
    const json::value* max_tokens = body->if_contains("max_tokens");
    if (max_tokens == nullptr || !max_tokens->is_int64() || max_tokens->get_int64() < 0) {
      return Invalid("max_tokens: a whole number of 0 or more is required");
    }
    parsed.max_tokens = max_tokens->get_int64();
  }

  const json::value* found = body->if_contains("messages");
  const json::array* messages = found == nullptr ? nullptr : found->if_array();
  if (messages == nullptr) return Invalid("messages: an array is required");
  if (messages->empty()) return Invalid("messages: at least one message is required");
  if (messages->size() > kMaxMessages) return Invalid("messages: at most 100000 messages are allowed");
  if (auto wrong = CheckMessages(*messages)) return wrong;

  if (*request.Header("anthropic-version") == kVersion) {
    for (const std::string_view field : {"temperature", "top_p", "top_k"}) {
      if (body->if_contains(field) != nullptr) {
        return Invalid(fmt::format("{}: this field does not exist in API version {}", field, kVersion));
      }
    }
  }
  if (const json::value* stream = body->if_contains("stream")) {
    if (!stream->is_bool()) return Invalid("stream: expected true or false");
    parsed.stream = stream->get_bool();
  }
  if (auto wrong = CheckToolPairing(*messages)) return wrong;

  parsed.model = View(*model);
  if (std::find(rules.models.begin(), rules.models.end(), parsed.model) == rules.models.end()) {
    return ApiError{.status = 404, .message = fmt::format("model: {}", parsed.model)};
  }
  ReadTexts(*body, *messages, rules.want_system, parsed);
  return std::nullopt;
}

}  // namespace medidesk::claude_stub
