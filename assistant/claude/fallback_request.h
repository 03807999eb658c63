// What may go to another model than the one the conversation was held with.
#pragma once

#include <cstddef>

#include "assistant/claude/messages.h"

namespace medidesk::assistant::claude {

struct FallbackRequest {
  Request request;
  // How many of the original's messages are left: all, unless a tool loop was under way.
  std::size_t messages_used = 0;
};

// Thinking blocks are bound to their model and are dropped. A tool loop under way (the last
// message holds tool results) is restarted from the user's turn that began it.
FallbackRequest ForOtherModel(const Request& request);

}  // namespace medidesk::assistant::claude
