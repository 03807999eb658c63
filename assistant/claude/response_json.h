// From parsed JSON to messages.h; shared by whole answers and streams. Internal to this folder.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <string_view>

#include "assistant/claude/messages.h"
#include "base/status.h"

namespace medidesk::assistant::claude {

// One JSON value of at most `max_bytes` and RawJson::kMaxDepth; INTERNAL otherwise. Never throws.
absl::StatusOr<boost::json::value> ParseBounded(std::string_view json, std::size_t max_bytes);

// The string at `key`; empty when absent or of another type. The view lives as long as `object`.
std::string_view StringAt(const boost::json::object& object, std::string_view key);
// The object at `key`, or nullptr.
const boost::json::object* ObjectAt(const boost::json::object& object, std::string_view key);

// Overwrites the counters that are present and numbers; leaves the others.
void UpdateUsage(const boost::json::object& usage, Usage& out);

absl::StatusOr<ContentBlock> BlockFromJson(const boost::json::object& block);
absl::StatusOr<Response> ResponseFromJson(const boost::json::object& message);
// `body` is the whole error envelope.
ApiError ErrorFromJson(const boost::json::object& body);

}  // namespace medidesk::assistant::claude
