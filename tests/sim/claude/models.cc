#include "tests/sim/claude/models.h"

#include <boost/json/array.hpp>
#include <boost/url/parse_query.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace medidesk::claude_stub {
namespace {

namespace json = boost::json;

// Which values of `thinking.type` a model takes.
enum Thinking : unsigned { kAdaptive = 1, kBetweenTools = 2, kDisabled = 4, kEnabled = 8 };

struct Profile {
  std::string_view id, line, created_at;
  std::int64_t context, output;  // tokens
  unsigned thinking;
  bool effort;
  std::string_view deprecated_at, retires_at;  // empty: active
};

constexpr std::int64_t kMillion = 1'000'000, k200K = 200'000, k128K = 128'000, k64K = 64'000;

constexpr std::array kProfiles = {
    Profile{"claude-fable-5-2", "fable", "2026-11-09", kMillion, k128K, kAdaptive, true, "", ""},
    Profile{"claude-mythos-5-2", "mythos", "2026-11-09", kMillion, k128K, kAdaptive, true, "", ""},
    Profile{"claude-haiku-5-5", "haiku", "2026-10-07", kMillion, k128K, kAdaptive | kDisabled, true, "", ""},
    Profile{"claude-sonnet-5-5", "sonnet", "2026-09-28", kMillion, k128K, kAdaptive | kBetweenTools, true, "", ""},
    Profile{"claude-opus-5-5", "opus", "2026-09-22", kMillion, k128K, kAdaptive, true, "", ""},
    Profile{"claude-fable-5-1", "fable", "2026-08-01", kMillion, k128K, kAdaptive, true, "", ""},
    Profile{"claude-sonnet-5", "sonnet", "2026-06-30", kMillion, k128K, kAdaptive | kDisabled, true, "", ""},
    Profile{"claude-opus-5", "opus", "2026-06-01", kMillion, k128K, kAdaptive | kDisabled, true, "", ""},
    Profile{"claude-opus-4-8", "opus", "2026-05-01", kMillion, k128K, kAdaptive | kDisabled, true, "", ""},
    Profile{"claude-opus-4-7", "opus", "2026-04-01", kMillion, k128K, kAdaptive | kDisabled, true, "", ""},
    Profile{"claude-sonnet-4-6", "sonnet", "2026-02-17", k200K, k64K, kAdaptive | kDisabled | kEnabled, true, "", ""},
    Profile{"claude-opus-4-6", "opus", "2026-02-05", k200K, k128K, kAdaptive | kDisabled | kEnabled, true, "", ""},
    Profile{"claude-opus-4-5", "opus", "2025-11-24", k200K, k64K, kDisabled | kEnabled, true, "", ""},
    Profile{"claude-opus-4-5-20251101", "opus", "2025-11-24", k200K, k64K, kDisabled | kEnabled, true, "", ""},
    Profile{"claude-haiku-4-5", "haiku", "2025-10-15", k200K, k64K, kDisabled | kEnabled, false, "", ""},
    Profile{"claude-haiku-4-5-20251001", "haiku", "2025-10-15", k200K, k64K, kDisabled | kEnabled, false, "", ""},
    Profile{"claude-sonnet-4-5", "sonnet", "2025-09-29", k200K, k64K, kDisabled | kEnabled, false, "2026-09-30",
            "2026-11-30"},
    Profile{"claude-sonnet-4-5-20250929", "sonnet", "2025-09-29", k200K, k64K, kDisabled | kEnabled, false,
            "2026-09-30", "2026-11-30"},
};

const Profile& ProfileOf(std::string_view id) {
  const auto* found = std::find_if(kProfiles.begin(), kProfiles.end(), [&](const Profile& p) { return p.id == id; });
  // A model that was only configured looks like the default one.
  return found != kProfiles.end() ? *found : kProfiles[2];
}

json::object Supported(bool supported) { return json::object{{"supported", supported}}; }

json::value Day(std::string_view day) {
  if (day.empty()) return nullptr;
  return json::string(std::string(day) + "T00:00:00Z");
}

std::string_view LifecycleOf(std::string_view id) {
  return ProfileOf(id).deprecated_at.empty() ? "active" : "deprecated";
}

json::object Capabilities(const Profile& profile) {
  const auto thinks = [&](Thinking type) { return Supported((profile.thinking & type) != 0); };
  json::object types{{"adaptive", thinks(kAdaptive)},
                     {"between_tools", thinks(kBetweenTools)},
                     {"disabled", thinks(kDisabled)},
                     {"enabled", thinks(kEnabled)}};
  json::object effort{{"supported", profile.effort}};
  for (const char* level : {"low", "medium", "high", "xhigh", "max"}) effort[level] = Supported(profile.effort);
  json::object capabilities{
      {"batch", Supported(true)},
      {"citations", Supported(true)},
      {"code_execution", Supported(false)},
      {"context_management", json::object{{"supported", false},
                                          {"clear_thinking_20251015", nullptr},
                                          {"clear_tool_uses_20250919", nullptr},
                                          {"compact_20260112", nullptr}}},
      {"image_input", Supported(true)},
      {"pdf_input", Supported(true)},
      {"server_tools",
       json::object{{"supported", false}, {"code_execution", Supported(false)}, {"web_search", Supported(false)}}},
      {"structured_outputs", Supported(true)}};
  capabilities["effort"] = std::move(effort);
  capabilities["thinking"] = json::object{{"supported", true}, {"types", std::move(types)}};
  return capabilities;
}

}  // namespace

std::vector<std::string> DefaultModels() {
  std::vector<std::string> models;
  for (const Profile& profile : kProfiles) models.emplace_back(profile.id);
  return models;
}

json::object ModelInfo(std::string_view id) {
  const Profile& profile = ProfileOf(id);
  json::object info;
  info["type"] = "model";
  info["id"] = id;
  info["display_name"] = id;
  info["created_at"] = Day(profile.created_at);
  info["lifecycle"] = LifecycleOf(id);
  info["deprecated_at"] = Day(profile.deprecated_at);
  info["retires_at"] = Day(profile.retires_at);
  info["line"] = profile.line;
  info["max_input_tokens"] = profile.context;
  info["max_tokens"] = profile.output;
  info["capabilities"] = Capabilities(profile);
  return info;
}

std::optional<ApiError> ListModels(const std::vector<std::string>& models, std::string_view query, json::object& page) {
  std::size_t limit = 20;
  std::string after, before;
  std::vector<std::string> lifecycles;
  const auto parameters = boost::urls::parse_query({query.data(), query.size()});
  if (!parameters) return ApiError{.status = 400, .message = "The query string is malformed"};
  for (const auto& parameter : *parameters) {
    const std::string key = parameter.key.decode(), value = parameter.value.decode();
    if (key == "limit") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), limit);
      if (error != std::errc() || end != value.data() + value.size() || limit < 1 || limit > 1000) {
        return ApiError{.status = 400, .message = "limit: expected a whole number from 1 to 1000"};
      }
    }
    if (key == "after_id") after = value;
    if (key == "before_id") before = value;
    if (key == "lifecycle" || key == "lifecycle[]") lifecycles.push_back(value);
  }
  std::vector<std::string_view> ids;
  for (const std::string& id : models) {
    const bool wanted =
        lifecycles.empty() || std::find(lifecycles.begin(), lifecycles.end(), LifecycleOf(id)) != lifecycles.end();
    if (wanted) ids.push_back(id);
  }
  auto from = ids.begin(), to = ids.end();
  if (!after.empty()) {
    const auto found = std::find(ids.begin(), ids.end(), after);
    from = found == ids.end() ? found : found + 1;
  }
  if (!before.empty()) to = std::max(from, std::find(ids.begin(), ids.end(), before));
  const bool backwards = after.empty() && !before.empty();
  const bool more = static_cast<std::size_t>(to - from) > limit;
  if (more && backwards) from = to - static_cast<std::ptrdiff_t>(limit);
  if (more && !backwards) to = from + static_cast<std::ptrdiff_t>(limit);

  json::array data;
  for (auto id = from; id != to; ++id) data.push_back(ModelInfo(*id));
  page["first_id"] = data.empty() ? json::value() : data.front().at("id");
  page["last_id"] = data.empty() ? json::value() : data.back().at("id");
  page["data"] = std::move(data);
  page["has_more"] = more;
  return std::nullopt;
}

}  // namespace medidesk::claude_stub
