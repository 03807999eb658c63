// The settings that a start would see: the environment, and below it a .env file read as `./medidesk up`
// reads it (NAME=VALUE lines, # comments, quotes taken off, nothing executed). Values may be secrets.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace medidesk::cli {

class Settings {
 public:
  // `environment` as in environ, null-terminated. A file that is not there counts as empty.
  static Settings Read(const std::string& file, const char* const* environment);

  // An empty value counts as absent, as the programs have it.
  std::string Get(const std::string& name, std::string_view fallback = "") const;
  bool Has(const std::string& name) const { return !Get(name).empty(); }
  bool Switch(const std::string& name) const;  // 1, true, yes, on
  void Set(const std::string& name, std::string value) { values_[name] = std::move(value); }

  std::vector<std::string> Environment() const;                               // NAME=VALUE, for a child
  const std::vector<std::string>& file_names() const { return file_names_; }  // in the file, in its order
  const std::vector<int>& bad_lines() const { return bad_lines_; }            // numbers, from 1
  const std::string& file() const { return file_; }

 private:
  std::string file_;
  std::map<std::string, std::string> values_;
  std::vector<std::string> file_names_;
  std::vector<int> bad_lines_;
};

}  // namespace medidesk::cli
