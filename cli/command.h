// One command of medidesk-cli, and how a command line becomes a call of it.
//
// A command lives in cli/<name>_command.{h,cc}: the header declares `extern const Command k<Name>Command`,
// and cli/commands.cc lists it.
//
//   constexpr Command kTokenCommand = {
//       "token", "who may call: bearer tokens", "token list [--all]\ntoken revoke ID", &Run};
//
// `run` returns the exit code, or an error that is printed as one line:
//   0  done
//   1  the service refused, or what was looked for is wrong or absent
//   2  wrong usage or configuration (INVALID_ARGUMENT)
//   3  a service cannot be reached or is too busy (UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED)
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/arguments.h"
#include "cli/context.h"

namespace medidesk::cli {

inline constexpr int kDone = 0, kRefused = 1, kWrongUsage = 2, kUnreachable = 3;

struct Command {
  std::string_view name;     // the first word
  std::string_view purpose;  // half a line
  std::string_view usage;    // one line for each form, without the program's name
  absl::StatusOr<int> (*run)(Context& context, Arguments& arguments);
};

// Every command, by name: commands.cc.
const std::vector<const Command*>& AllCommands();

// What main() does: `words` are argv without the program. Flags of CliConfig stand before the command,
// as --name=value. Gives the exit code; errors go to `errors`.
int RunCommandLine(const std::vector<std::string>& words, const FlagSet::Environment& environment, std::ostream& out,
                   std::ostream& errors, const std::vector<const Command*>& commands = AllCommands());

}  // namespace medidesk::cli
