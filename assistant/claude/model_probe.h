// Reads what GET /v1/models/{id} says about one model.
#pragma once

#include <string>
#include <string_view>

#include "assistant/claude/model_profile.h"
#include "base/status.h"

namespace medidesk::assistant::claude {

struct ModelInfo {
  std::string lifecycle;   // active, deprecated, retired, or "unknown"
  std::string retires_at;  // RFC 3339 or a date; empty when none is set
  std::optional<Capabilities> capabilities;
};

// INTERNAL when the body is not a model.
absl::StatusOr<ModelInfo> ParseModelInfo(std::string_view body);

// Writes what an operator should know: a warning when the model is not active or retires.
void LogModelInfo(std::string_view model, const ModelInfo& info);

}  // namespace medidesk::assistant::claude
