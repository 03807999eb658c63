// What the API answers to a request that met no fault before: routes, checks, and the choice of a reply.
//
// A reply comes from the first of: max_tokens 0 (an empty message, as for cache warming), the queue,
// the script's rules, the script's mode. A rule that calls a tool is passed over when the request
// already brings tool results, so that a rule after it can give the final answer.
#pragma once

#include <boost/json/object.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/claude/stub_state.h"

namespace medidesk::claude_stub {

struct ApiConfig {
  std::vector<std::string> models;       // others answer 404
  std::chrono::milliseconds latency{0};  // before the first byte of every message
};

struct ApiAnswer {
  int status = 200;
  std::string body;             // JSON; empty when `stream`
  bool stream = false;          // `message` goes out as events
  boost::json::object message;  // only when `stream`
  std::chrono::milliseconds delay{0};
};

// With `keep_reply` a queued reply stays queued: what goes out is going to be cut short.
ApiAnswer AnswerApi(StubState& state, const ApiConfig& config, const Request& request, std::string_view request_id,
                    bool keep_reply);

}  // namespace medidesk::claude_stub
