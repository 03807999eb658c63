// What to send besides the conversation depends on the model: the thinking mode and the effort.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "assistant/claude/messages.h"

namespace medidesk::assistant::claude {

// What GET /v1/models/{id} says a model can do.
struct Capabilities {
  bool thinking_disabled = false;
  bool thinking_between_tools = false;
  bool thinking_adaptive = false;
  bool thinking_enabled = false;
  bool effort_low = false;
};

// Settings for quick answers at a front desk: the least thinking and the lowest effort the model
// takes. The models we know have their own row; what the probe found replaces a value that the
// model does not support. An unknown model without capabilities gets neither field.
ModelSettings SettingsFor(std::string_view model, const std::optional<Capabilities>& capabilities);

// A model id is [A-Za-z0-9._-], 1 to 128 bytes: it goes into a URL, log lines and metric labels.
bool IsModelId(std::string_view model);

}  // namespace medidesk::assistant::claude
