#include "assistant/claude/model_probe.h"

#include <algorithm>

#include "assistant/claude/response_json.h"
#include "base/log.h"

namespace medidesk::assistant::claude {
namespace {

namespace json = boost::json;

bool Supported(const json::object* parent, std::string_view name) {
  const json::object* entry = parent == nullptr ? nullptr : ObjectAt(*parent, name);
  const json::value* value = entry == nullptr ? nullptr : entry->if_contains("supported");
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::string SafeDate(std::string_view text) {
  const bool plain =
      text.size() <= 40 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || c == '-' || c == ':' || c == '.' || c == '+' || c == 'T' || c == 'Z';
      });
  return plain ? std::string(text) : std::string();
}

}  // namespace

absl::StatusOr<ModelInfo> ParseModelInfo(std::string_view body) {
  MD_ASSIGN_OR_RETURN(const json::value value, ParseBounded(body, 1u << 20));
  if (!value.is_object() || StringAt(value.get_object(), "type") != "model") {
    return Error(absl::StatusCode::kInternal, "the API's answer is not a model");
  }
  const json::object& model = value.get_object();
  ModelInfo info;
  const std::string_view lifecycle = StringAt(model, "lifecycle");
  info.lifecycle = "unknown";
  if (lifecycle == "active" || lifecycle == "deprecated" || lifecycle == "retired") info.lifecycle = lifecycle;
  info.retires_at = SafeDate(StringAt(model, "retires_at"));

  const json::object* capabilities = ObjectAt(model, "capabilities");
  if (capabilities == nullptr) return info;
  const json::object* thinking = ObjectAt(*capabilities, "thinking");
  const json::object* types = thinking == nullptr ? nullptr : ObjectAt(*thinking, "types");
  const json::object* effort = ObjectAt(*capabilities, "effort");
  if (types == nullptr && effort == nullptr) return info;
  Capabilities found;
  found.thinking_disabled = Supported(types, "disabled");
  found.thinking_between_tools = Supported(types, "between_tools");
  found.thinking_adaptive = Supported(types, "adaptive");
  found.thinking_enabled = Supported(types, "enabled");
  found.effort_low = Supported(effort, "low");
  info.capabilities = found;
  return info;
}

void LogModelInfo(std::string_view model, const ModelInfo& info) {
  const bool healthy = info.lifecycle == "active";
  log::Write(healthy ? log::Level::kInfo : log::Level::kWarning, healthy ? "claude_model" : "claude_model_not_active",
             {{"model", log::Public(model)},
              {"lifecycle", log::Public(info.lifecycle)},
              {"retires_at", log::Public(info.retires_at.empty() ? "not set" : std::string_view(info.retires_at))}});
}

}  // namespace medidesk::assistant::claude
