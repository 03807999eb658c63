#include "assistant/claude/response_json.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

namespace medidesk::assistant::claude {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxBodyBytes = 16u << 20;

absl::Status Malformed(std::string_view rule) { return Error(absl::StatusCode::kInternal, rule); }

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

void Count(const json::object& usage, std::string_view key, std::int64_t& out) {
  const json::value* value = usage.if_contains(key);
  if (value == nullptr) return;
  if (const auto* number = value->if_int64(); number != nullptr && *number >= 0) out = *number;
}

}  // namespace

absl::StatusOr<json::value> ParseBounded(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes) return Malformed("the API's answer is above its size limit");
  try {
    json::parse_options options;
    options.max_depth = RawJson::kMaxDepth;
    boost::system::error_code error;
    json::value value = json::parse(text, error, {}, options);
    if (error) return Malformed("the API's answer is not JSON");
    return value;
  } catch (const std::exception&) {
    return Malformed("the API's answer cannot be held");
  }
}

std::string_view StringAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return View(value->get_string());
}

const json::object* ObjectAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

void UpdateUsage(const json::object& usage, Usage& out) {
  Count(usage, "input_tokens", out.input_tokens);
  Count(usage, "output_tokens", out.output_tokens);
  Count(usage, "cache_read_input_tokens", out.cache_read_tokens);
  Count(usage, "cache_creation_input_tokens", out.cache_write_tokens);
}

absl::StatusOr<ContentBlock> BlockFromJson(const json::object& block) {
  const std::string_view type = StringAt(block, "type");
  if (type.empty()) return Malformed("a content block has no type");
  if (type == "text") {
    TextBlock text;
    text.text = StringAt(block, "text");
    text.raw = json::serialize(block);
    return text;
  }
  if (type == "tool_use") {
    ToolUseBlock tool;
    tool.id = StringAt(block, "id");
    tool.name = StringAt(block, "name");
    if (tool.id.empty() || tool.name.empty()) return Malformed("a tool_use block has no id or name");
    const json::object* input = ObjectAt(block, "input");
    if (input == nullptr) return Malformed("a tool_use block has no input object");
    MD_ASSIGN_OR_RETURN(tool.input, RawJson::ParseObject(json::serialize(*input)));
    tool.raw = json::serialize(block);
    return tool;
  }
  OtherBlock other;
  other.type = type;
  other.raw = json::serialize(block);
  return other;
}

absl::StatusOr<Response> ResponseFromJson(const json::object& message) {
  try {
    Response response;
    response.id = StringAt(message, "id");
    response.model = StringAt(message, "model");
    response.stop_reason = StringAt(message, "stop_reason");
    const json::value* content = message.if_contains("content");
    if (content == nullptr || !content->is_array()) return Malformed("the API's answer has no content array");
    if (content->get_array().size() > kMaxResponseBlocks) return Malformed("the API's answer has too many blocks");
    for (const json::value& item : content->get_array()) {
      if (!item.is_object()) return Malformed("a content block is not an object");
      MD_ASSIGN_OR_RETURN(ContentBlock block, BlockFromJson(item.get_object()));
      response.content.push_back(std::move(block));
    }
    if (const json::object* usage = ObjectAt(message, "usage"); usage != nullptr) UpdateUsage(*usage, response.usage);
    return response;
  } catch (const std::exception&) {
    return Malformed("the API's answer cannot be held");
  }
}

absl::StatusOr<Response> ParseResponse(std::string_view text) {
  MD_ASSIGN_OR_RETURN(const json::value value, ParseBounded(text, kMaxBodyBytes));
  if (!value.is_object()) return Malformed("the API's answer is not an object");
  return ResponseFromJson(value.get_object());
}

ApiError ErrorFromJson(const json::object& body) {
  static constexpr std::array<std::string_view, 11> kTypes = {
      "invalid_request_error", "authentication_error", "billing_error",    "permission_error", "not_found_error",
      "conflict_error",        "request_too_large",    "rate_limit_error", "api_error",        "timeout_error",
      "overloaded_error"};
  ApiError out;
  out.request_id = SafeId(StringAt(body, "request_id"));
  const json::object* error = ObjectAt(body, "error");
  if (error == nullptr) return out;
  const std::string_view type = StringAt(*error, "type");
  if (std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end()) {
    out.type = type;
  } else if (!type.empty()) {
    out.type = "other";
  }
  if (const json::object* details = ObjectAt(*error, "details"); details != nullptr) {
    out.code = SafeId(StringAt(*details, "error_code"));
  }
  return out;
}

ApiError ParseError(std::string_view body) {
  const absl::StatusOr<json::value> value = ParseBounded(body, 1u << 20);
  if (!value.ok() || !value->is_object()) return {};
  return ErrorFromJson(value->get_object());
}

std::string SafeId(std::string_view id) {
  if (id.size() > 64) return {};
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return std::all_of(id.begin(), id.end(), plain) ? std::string(id) : std::string();
}

}  // namespace medidesk::assistant::claude
