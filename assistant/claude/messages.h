// The Messages API's request and answer as plain values, and their JSON.
//
// Serialisation is deterministic: fixed property order, raw parts byte for byte, so that equal
// prefixes hit the API's prompt cache. Parsing is tolerant: unknown fields, block types and stop
// reasons are kept or skipped, never fatal.
//
// Everything a request or an answer holds is a patient's conversation: never log it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "assistant/claude/raw_json.h"
#include "base/status.h"

namespace medidesk::assistant::claude {

// How long a cached prefix lives, counted from the request that used it last.
enum class CacheTtl { kFiveMinutes, kOneHour };

// One block of the system prompt. Stable text first; `cache` marks the end of a prefix to cache
// (the API takes at most four marks in a request, longer-lived ones first).
struct SystemBlock {
  std::string text;
  std::optional<CacheTtl> cache = std::nullopt;
  // `text` as QuoteText() gives it, made once for a block that many requests share; null: made each time.
  std::shared_ptr<const std::string> quoted = nullptr;
};
// A text as a JSON string, with its quotes.
std::shared_ptr<const std::string> QuoteText(std::string_view text);

struct TextBlock {
  std::string text;
  std::optional<CacheTtl> cache = std::nullopt;
  // As it was received, for sending it back unchanged; empty for a block made here.
  std::string raw = {};
};

// The model wants a tool run. `input` is a JSON object that nobody has checked against the
// tool's schema or the caller's rights.
struct ToolUseBlock {
  std::string id;
  std::string name;
  RawJson input;
  std::string raw = {};  // as above
};

// What a tool gave. An error text should tell the model what to do next.
struct ToolResultBlock {
  std::string tool_use_id;
  std::string content;
  bool is_error = false;
};

// thinking, redacted_thinking and every type invented later: kept to be sent back, not read.
struct OtherBlock {
  std::string type;
  std::string raw;
};

using ContentBlock = std::variant<TextBlock, ToolUseBlock, ToolResultBlock, OtherBlock>;

enum class Role { kUser, kAssistant };

struct Message {
  Role role = Role::kUser;
  std::vector<ContentBlock> content;
};
Message UserText(std::string text);

// What one call asks, whatever model answers it.
struct Request {
  std::vector<SystemBlock> system;
  // A JSON array of tool definitions, e.g. [{"name":..,"description":..,"input_schema":{..}}].
  std::optional<RawJson> tools = std::nullopt;
  // False sends tool_choice "none": the model must answer in words (the last round of a tool loop).
  bool allow_tools = true;
  // The conversation; the last message is the user's.
  std::vector<Message> messages;
  int max_tokens = 1024;  // thinking tokens included
  std::vector<std::string> stop_sequences = {};
  // An opaque id of the patient (a salted hash, never a phone, name or e-mail); may be empty.
  std::string user_id = {};
  // Caches the growing dialogue up to its last block (takes one of the four marks).
  std::optional<CacheTtl> cache_dialogue = std::nullopt;
};

// Bounds of a request: bytes of JSON and number of messages.
inline constexpr std::size_t kMaxRequestBytes = 8u << 20;
inline constexpr std::size_t kMaxMessages = 2000;
// Above this many tokens the API wants a stream.
inline constexpr int kMaxTokensWithoutStream = 21'333;

// What depends on the model that is asked; see model_profile.h.
struct ModelSettings {
  std::string model;
  std::string thinking;  // JSON of the `thinking` field; empty leaves it out
  std::string effort;    // output_config.effort; empty leaves it out
  int max_tokens = 0;    // 0 = Request::max_tokens
  bool stream = false;
  bool resumes = false;  // the last message is a paused turn of the model's, sent back as it came
};

// The body of POST /v1/messages. INVALID_ARGUMENT names the rule that `request` breaks.
absl::StatusOr<std::string> SerializeRequest(const Request& request, const ModelSettings& settings);

struct Usage {
  std::int64_t input_tokens = 0;  // neither read from nor written to the cache
  std::int64_t output_tokens = 0;
  std::int64_t cache_read_tokens = 0;
  std::int64_t cache_write_tokens = 0;

  friend bool operator==(const Usage&, const Usage&) = default;
};

// A whole answer of the model.
struct Response {
  std::string id;
  std::string model;
  std::vector<ContentBlock> content;
  std::string stop_reason;  // empty = null
  Usage usage;
};

inline constexpr std::size_t kMaxResponseBlocks = 256;

// Parses a 200 body. INTERNAL when it is not an answer of the API.
absl::StatusOr<Response> ParseResponse(std::string_view json);

// All text blocks, in order, as one text.
std::string JoinedText(const std::vector<ContentBlock>& content);
std::vector<ToolUseBlock> ToolUses(const std::vector<ContentBlock>& content);

// The parts of an error answer that may be acted on. Every field may be empty: the body may be
// a proxy's HTML.
struct ApiError {
  std::string type;  // one of the API's known types, else "other"; empty when there was none
  std::string code;  // error.details.error_code, only [a-z0-9_]
  std::string request_id;
};
ApiError ParseError(std::string_view body);

// Keeps an id of the outside fit for a log line: [A-Za-z0-9_-], at most 64 bytes; else empty.
std::string SafeId(std::string_view id);

}  // namespace medidesk::assistant::claude
