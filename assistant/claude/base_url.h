// Reads ANTHROPIC_BASE_URL.
#pragma once

#include <string_view>

#include "assistant/claude/http_message.h"
#include "base/status.h"

namespace medidesk::assistant::claude {

// http://host[:port][/path] or https://...; a slash at the end is ignored. INVALID_ARGUMENT for
// anything else, user info, query and fragment included; the text is never quoted.
absl::StatusOr<Origin> ParseBaseUrl(std::string_view url);

}  // namespace medidesk::assistant::claude
