#include "cli/command.h"

#include <fmt/format.h>

#include <algorithm>

namespace medidesk::cli {
namespace {

int ExitCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return kDone;
    case absl::StatusCode::kInvalidArgument:
      return kWrongUsage;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
      return kUnreachable;
    default:
      return kRefused;
  }
}

void PrintUsage(const Command& command, std::ostream& out) {
  std::string_view rest = command.usage;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    out << "  ./medidesk " << rest.substr(0, end) << '\n';
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

void PrintHelp(const FlagSet& flags, const std::vector<const Command*>& commands, std::ostream& out) {
  out << "Commands:\n";
  for (const Command* command : commands) out << fmt::format("  {:<8} {}\n", command->name, command->purpose);
  out << "\nUsage:\n";
  for (const Command* command : commands) PrintUsage(*command, out);
  out << "\nFlags stand before the command, as --name=value.\n" << flags.Help();
}

}  // namespace

int RunCommandLine(const std::vector<std::string>& words, const FlagSet::Environment& environment, std::ostream& out,
                   std::ostream& errors, const std::vector<const Command*>& commands) {
  FlagSet flags("medidesk-cli", "asks and changes a running MediDesk");
  CliConfig config;
  config.Register(flags);
  const auto first =
      std::find_if(words.begin(), words.end(), [](const auto& word) { return word.substr(0, 1) != "-"; });
  std::vector<const char*> flag_words = {"medidesk-cli"};
  for (auto word = words.begin(); word != first; ++word) flag_words.push_back(word->c_str());
  if (const absl::Status status = flags.Parse(static_cast<int>(flag_words.size()), flag_words.data(), environment);
      !status.ok()) {
    errors << "medidesk: " << Text(status) << '\n';
    return kWrongUsage;
  }
  if (flags.help_wanted()) {
    PrintHelp(flags, commands, out);
    return kDone;
  }
  const auto command = std::find_if(commands.begin(), commands.end(),
                                    [&](const Command* one) { return first != words.end() && one->name == *first; });
  if (command == commands.end()) {
    errors << "medidesk: " << (first == words.end() ? "a command is missing" : "unknown command")
           << "; medidesk-cli --help lists them\n";
    return kWrongUsage;
  }

  Arguments arguments(std::vector<std::string>(std::next(first), words.end()));
  if (arguments.Switch("--help") || arguments.Switch("-h")) {
    out << (*command)->purpose << "\n\n";
    PrintUsage(**command, out);
    return kDone;
  }
  Context context(std::move(config), out, errors);
  const absl::StatusOr<int> code = (*command)->run(context, arguments);
  if (code.ok()) return *code;
  errors << "medidesk " << (*command)->name << ": " << Text(code.status()) << '\n';
  if (code.status().code() == absl::StatusCode::kInvalidArgument) {
    errors << "usage:\n";
    PrintUsage(**command, errors);
  }
  return ExitCode(code.status().code());
}

}  // namespace medidesk::cli
