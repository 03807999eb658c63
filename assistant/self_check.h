// What the assistant can say about its installation without serving: its part of `./medidesk doctor`.
#pragma once

#include <vector>

#include "assistant/build.h"
#include "base/finding.h"

namespace medidesk::assistant {

// Claude's key and models, the clock, and whether clinicians approved the fixed texts. Blocks, at most 5 s for
// each model.
std::vector<Finding> CheckAssistant(const AssistantConfig& config);

}  // namespace medidesk::assistant
