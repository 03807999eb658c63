// Command-line flags, each with an environment twin: --database_url and DATABASE_URL.
//
//   FlagSet flags("medidesk-store", "Keeps conversations in PostgreSQL.");
//   flags.Add("pool_size", &config.pool_size, "database connections", {.min = 1, .max = 100});
//   MD_RETURN_IF_ERROR(flags.Parse(argc, argv));
//
// The command line wins over the environment, the environment over the default; an empty
// environment value counts as absent. Any unknown flag or malformed value is INVALID_ARGUMENT
// with one line that names the flag and what it wants; values are never quoted (they may be secret).
//
// Forms: --name=value, --name value, --name and --no-name for booleans. Durations: 250ms, 5s, 2m, 1h.
// Not thread-safe; targets must outlive Parse().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace medidesk {

class FlagSet {
 public:
  struct Range {
    std::int64_t min = INT64_MIN;
    std::int64_t max = INT64_MAX;
  };
  using Environment = std::function<const char*(const char* name)>;

  FlagSet(std::string program, std::string purpose);

  void Add(std::string name, std::string* target, std::string help);
  void Add(std::string name, bool* target, std::string help);
  void Add(std::string name, int* target, std::string help, Range range);
  void Add(std::string name, std::int64_t* target, std::string help, Range range);
  void Add(std::string name, std::chrono::milliseconds* target, std::string help);
  // The environment twin of `name` where it is not the upper-case name: model -> MEDIDESK_MODEL.
  void Twin(std::string_view name, std::string environment_name);

  // Reads argv and the environment. `help_wanted()` is true after --help.
  absl::Status Parse(int argc, const char* const* argv, const Environment& environment = nullptr);
  bool help_wanted() const { return help_wanted_; }
  std::string Help() const;

 private:
  struct Flag {
    std::string name, twin, help, shown_default;
    bool boolean = false;
    std::function<absl::Status(std::string_view)> set;
  };
  void Insert(Flag flag);
  Flag* Find(std::string_view name);

  std::string program_, purpose_;
  std::vector<Flag> flags_;
  bool help_wanted_ = false;
};

}  // namespace medidesk
