// Reads a request of the Messages API as strictly as the vendor does where a client can go wrong.
//
// The checks run in a fixed order and the first that fails is the answer: credential, version, JSON,
// model, max_tokens, messages, sampling fields, pairing of tool calls and results, known model.
// Fields it does not know are accepted.
#pragma once

#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/claude/api_error.h"
#include "tests/sim/claude/types.h"

namespace medidesk::claude_stub {

inline constexpr std::string_view kVersion = "2026-10-21";
inline constexpr std::string_view kOldVersion = "2023-06-01";  // still takes the sampling fields

struct MessageRequest {
  std::string model;
  std::int64_t max_tokens = 0;
  bool stream = false;
  std::string user_text;       // the last text block of the last user turn that has one
  std::string system_text;     // text blocks joined by line ends; filled only on request
  std::string tool_text;       // the text of the tool results in the last turn, likewise
  bool answers_tools = false;  // the last turn holds tool results
};

struct MessageRules {
  const std::vector<std::string>& models;  // what is known; others are 404
  bool counting = false;                   // count_tokens: no max_tokens
  bool want_system = false;                // fill system_text and tool_text
};

std::optional<ApiError> CheckCredential(const Request& request);
std::optional<ApiError> CheckVersion(const Request& request);

// The body of a request whose headers were right. On success fills `parsed`.
std::optional<ApiError> ReadMessageRequest(const Request& request, const MessageRules& rules, MessageRequest& parsed);

}  // namespace medidesk::claude_stub
