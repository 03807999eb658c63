#include "cli/doctor/settings.h"

#include <fstream>

namespace medidesk::cli {
namespace {

constexpr std::string_view kBlank = " \t\r\n\v\f";

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool IsName(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
         std::string_view::npos;
}

std::string_view Unquoted(std::string_view value) {
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front()) {
    return value.substr(1, value.size() - 2);
  }
  return value;
}

}  // namespace

Settings Settings::Read(const std::string& file, const char* const* environment) {
  Settings settings;
  settings.file_ = file;
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view entry(*environment);
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    settings.values_.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  std::ifstream in(file);
  int number = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    std::string_view line = Trim(text);
    if (line.empty() || line[0] == '#') continue;
    if (line.substr(0, 7) == "export ") line = Trim(line.substr(7));
    const std::size_t equals = line.find('=');
    const std::string_view name = line.substr(0, equals);
    if (equals == std::string_view::npos || !IsName(name)) {
      settings.bad_lines_.push_back(number);
      continue;
    }
    settings.file_names_.emplace_back(name);
    settings.values_.emplace(name, Unquoted(Trim(line.substr(equals + 1))));
  }
  return settings;
}

std::string Settings::Get(const std::string& name, std::string_view fallback) const {
  const auto found = values_.find(name);
  return found == values_.end() || found->second.empty() ? std::string(fallback) : found->second;
}

bool Settings::Switch(const std::string& name) const {
  const std::string value = Get(name);
  return value == "1" || value == "true" || value == "yes" || value == "on";
}

std::vector<std::string> Settings::Environment() const {
  std::vector<std::string> entries;
  for (const auto& [name, value] : values_) entries.push_back(name + "=" + value);
  return entries;
}

}  // namespace medidesk::cli
