#include "assistant/claude/model_profile.h"

#include <algorithm>

namespace medidesk::assistant::claude {
namespace {

constexpr std::string_view kDisabled = R"({"type":"disabled"})";
constexpr std::string_view kBetweenTools = R"({"type":"between_tools"})";

struct Profile {
  std::string_view prefix;  // of the model id, so that dated ids share the row
  std::string_view thinking;
  std::string_view effort;
};
constexpr Profile kProfiles[] = {
    {"claude-haiku-5-5", kDisabled, "low"},
    {"claude-sonnet-5-5", kBetweenTools, "low"},
    {"claude-haiku-4-5", "", ""},
};

}  // namespace

ModelSettings SettingsFor(std::string_view model, const std::optional<Capabilities>& capabilities) {
  ModelSettings settings;
  settings.model = model;
  const auto* known = std::find_if(std::begin(kProfiles), std::end(kProfiles),
                                   [&](const Profile& profile) { return model.starts_with(profile.prefix); });
  if (known != std::end(kProfiles)) {
    settings.thinking = known->thinking;
    settings.effort = known->effort;
  }
  if (!capabilities) return settings;

  const bool wants_thinking_field = known == std::end(kProfiles) || !known->thinking.empty();
  const bool supported = (settings.thinking == kDisabled && capabilities->thinking_disabled) ||
                         (settings.thinking == kBetweenTools && capabilities->thinking_between_tools);
  if (wants_thinking_field && !supported) {
    settings.thinking = capabilities->thinking_disabled        ? kDisabled
                        : capabilities->thinking_between_tools ? kBetweenTools
                                                               : std::string_view();
  }
  if (known == std::end(kProfiles) || !known->effort.empty()) settings.effort = capabilities->effort_low ? "low" : "";
  return settings;
}

bool IsModelId(std::string_view model) {
  if (model.empty() || model.size() > 128) return false;
  return std::all_of(model.begin(), model.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

}  // namespace medidesk::assistant::claude
