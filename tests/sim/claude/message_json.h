// Builds the answer of POST /v1/messages.
#pragma once

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "tests/sim/claude/types.h"

namespace medidesk::claude_stub {

struct MessageFrame {
  std::string model;
  std::int64_t input_tokens = 1;
  // A fresh id that starts with `prefix`.
  std::function<std::string(std::string_view prefix)> new_id;
};

// The whole message object, every nullable field present. Blocks of `reply` get what they lack.
boost::json::object BuildMessage(Reply reply, const MessageFrame& frame);

// One text block.
Reply TextReply(std::string_view text);

}  // namespace medidesk::claude_stub
