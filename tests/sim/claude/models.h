// GET /v1/models: what the stub tells about the models it knows.
#pragma once

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/claude/api_error.h"

namespace medidesk::claude_stub {

// Every model that was served in November 2026, the newest first. Retired ones are not in it.
std::vector<std::string> DefaultModels();

boost::json::object ModelInfo(std::string_view id);

// One page of `models`. `query` is that of the URL: limit (1 to 1000, else 400), after_id, before_id,
// lifecycle (repeatable). On success fills `page`.
std::optional<ApiError> ListModels(const std::vector<std::string>& models, std::string_view query,
                                   boost::json::object& page);

}  // namespace medidesk::claude_stub
