// Asks the Claude API whether the key and the configured models are good, and says what to do: the API's
// part of `./medidesk doctor`. Costs nothing: no message is sent.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include "assistant/claude/client.h"
#include "base/finding.h"

namespace medidesk::assistant::claude {

// Blocks, at most `limit` for each model. Findings: the key, each model (unknown, retired, retires soon), our
// clock against the API's. Uses key, URL, models and CA file of `options`.
std::vector<Finding> CheckAccount(const ClientOptions& options, std::chrono::milliseconds limit);

// The day on which the vendor ends a model, "2026-06-15", as far as it was announced when this was written;
// empty when nothing is known. The API's own word comes first.
std::string_view AnnouncedEnd(std::string_view model);

// What a model's last day means on the day `today`; both are YYYY-MM-DD. Warns from 60 days before.
Finding JudgeEnd(std::string_view model, std::string_view last_day, std::string_view today);

}  // namespace medidesk::assistant::claude
