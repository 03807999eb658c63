// The words after the command, taken one meaning at a time.
//
//   Arguments arguments({"create", "lab-system", "--scope", "reply,read", "--json"});
//   arguments.Word("ACTION")          -> "create"
//   arguments.Option("--scope")       -> "reply,read"     also as --scope=reply,read
//   arguments.Switch("--json")        -> true
//   arguments.Word("NAME")            -> "lab-system"
//   arguments.Finish()                -> OK: nothing is left
//
// Take options and switches before words: an option's value would be taken for a word. Everything after
// `--` is a word. Errors are INVALID_ARGUMENT and never quote what was typed. Not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace medidesk::cli {

class Arguments {
 public:
  explicit Arguments(std::vector<std::string> words);

  // True when the switch is there, which is then taken.
  bool Switch(std::string_view name);
  // The option's value; nullopt when it is absent. An error when it has none, or stands twice.
  absl::StatusOr<std::optional<std::string>> Option(std::string_view name);
  // The same for an option that may stand several times.
  absl::StatusOr<std::vector<std::string>> Options(std::string_view name);
  // The next word that is no option; an error that asks for `what` when none is left.
  absl::StatusOr<std::string> Word(std::string_view what);
  // The same, nullopt when none is left.
  absl::StatusOr<std::optional<std::string>> OptionalWord();
  // An error when something is left over.
  absl::Status Finish() const;

 private:
  std::vector<std::string> words_, verbatim_;  // verbatim_: after `--`
};

}  // namespace medidesk::cli
