// Reads what a test or a file tells the stub, as JSON. Every reader answers INVALID_ARGUMENT with one
// line that names the field and what it wants; a field it does not know is an error, so that a typing
// mistake in a test is not taken for silence.
//
//   reply   {"content":[..],"stop_reason":"..","stop_details":..,"usage":{..},"delay_ms":0}
//   fault   {"times":1,"path":"/v1/messages","mode":"http","status":429,"type":"..","message":"..","details":{..},
//            "headers":{"retry-after":"1"},"body":"<html>","delay_ms":0,"after_deltas":1}
//   script  [rule..] or {"mode":"echo"|"facts","rules":[rule..]}
//   rule    {"contains":"..","text":".."} or {"contains":"..", and the fields of a reply}
#pragma once

#include <string_view>

#include "base/status.h"
#include "tests/sim/claude/stub_state.h"
#include "tests/sim/claude/types.h"

namespace medidesk::claude_stub {

absl::StatusOr<Reply> ParseReply(std::string_view text);
absl::StatusOr<Fault> ParseFault(std::string_view text);
absl::StatusOr<Script> ParseScript(std::string_view text);

inline constexpr std::string_view kControlPrefix = "/__stub/";

// The control plane: an HTTP status and the body of the answer, {} or {"error":".."}.
struct ControlAnswer {
  int status = 200;
  std::string body = "{}";
};
ControlAnswer Control(StubState& state, const Request& request);

// {"requests":[..],"total":n}; the bodies are parsed where they are JSON, else null.
std::string RequestsJson(const StubState& state);

}  // namespace medidesk::claude_stub
