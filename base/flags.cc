#include "base/flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdlib>

namespace medidesk {
namespace {

absl::Status Bad(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }

template <class T>
std::function<absl::Status(std::string_view)> IntegerSetter(T* target, FlagSet::Range range) {
  return [target, range](std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < range.min || value > range.max) {
      return Bad(fmt::format("expected a whole number from {} to {}", range.min, range.max));
    }
    *target = static_cast<T>(value);
    return absl::OkStatus();
  };
}

absl::Status SetBool(bool* target, std::string_view text) {
  if (text == "1" || text == "true" || text == "yes" || text == "on") {
    *target = true;
  } else if (text == "0" || text == "false" || text == "no" || text == "off") {
    *target = false;
  } else {
    return Bad("expected 1 or 0");
  }
  return absl::OkStatus();
}

absl::Status SetDuration(std::chrono::milliseconds* target, std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  std::int64_t factor = 0;
  if (unit == "ms") factor = 1;
  if (unit == "s") factor = 1000;
  if (unit == "m") factor = 60'000;
  if (unit == "h") factor = 3'600'000;
  if (error != std::errc() || factor == 0 || count < 0 || count > 366LL * 24 * 3'600'000 / factor) {
    return Bad("expected a duration such as 250ms, 5s, 2m or 1h");
  }
  *target = std::chrono::milliseconds(count * factor);
  return absl::OkStatus();
}

std::string ShowDuration(std::chrono::milliseconds value) {
  if (value.count() % 1000 != 0) return fmt::format("{}ms", value.count());
  return fmt::format("{}s", value.count() / 1000);
}

std::string UpperCase(std::string_view name) {
  std::string twin(name);
  std::transform(twin.begin(), twin.end(), twin.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
  return twin;
}

}  // namespace

FlagSet::FlagSet(std::string program, std::string purpose)
    : program_(std::move(program)), purpose_(std::move(purpose)) {}

void FlagSet::Insert(Flag flag) {
  assert(Find(flag.name) == nullptr);
  flag.twin = UpperCase(flag.name);
  flags_.push_back(std::move(flag));
}

FlagSet::Flag* FlagSet::Find(std::string_view name) {
  const auto found = std::find_if(flags_.begin(), flags_.end(), [&](const Flag& flag) { return flag.name == name; });
  return found == flags_.end() ? nullptr : &*found;
}

void FlagSet::Add(std::string name, std::string* target, std::string help) {
  Insert({.name = std::move(name),
          .twin = {},
          .help = std::move(help),
          .shown_default = *target,
          .set = [target](std::string_view text) {
            *target = std::string(text);
            return absl::OkStatus();
          }});
}

void FlagSet::Add(std::string name, bool* target, std::string help) {
  Insert({.name = std::move(name),
          .twin = {},
          .help = std::move(help),
          .shown_default = *target ? "1" : "0",
          .boolean = true,
          .set = [target](std::string_view text) { return SetBool(target, text); }});
}

void FlagSet::Add(std::string name, int* target, std::string help, Range range) {
  Insert({.name = std::move(name),
          .twin = {},
          .help = std::move(help),
          .shown_default = std::to_string(*target),
          .set = IntegerSetter(
              target, {std::max<std::int64_t>(range.min, INT32_MIN), std::min<std::int64_t>(range.max, INT32_MAX)})});
}

void FlagSet::Add(std::string name, std::int64_t* target, std::string help, Range range) {
  Insert({.name = std::move(name),
          .twin = {},
          .help = std::move(help),
          .shown_default = std::to_string(*target),
          .set = IntegerSetter(target, range)});
}

void FlagSet::Add(std::string name, std::chrono::milliseconds* target, std::string help) {
  Insert({.name = std::move(name),
          .twin = {},
          .help = std::move(help),
          .shown_default = ShowDuration(*target),
          .set = [target](std::string_view text) { return SetDuration(target, text); }});
}

void FlagSet::Twin(std::string_view name, std::string environment_name) {
  Flag* flag = Find(name);
  assert(flag != nullptr);
  flag->twin = std::move(environment_name);
}

absl::Status FlagSet::Parse(int argc, const char* const* argv, const Environment& environment) {
  const Environment read =
      environment ? environment : [](const char* name) -> const char* { return std::getenv(name); };
  for (Flag& flag : flags_) {
    const char* value = read(flag.twin.c_str());
    if (value == nullptr || *value == '\0') continue;
    if (const absl::Status status = flag.set(value); !status.ok()) {
      return Bad(fmt::format("{}: {}", flag.twin, Text(status)));
    }
  }
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      help_wanted_ = true;
      continue;
    }
    if (argument.substr(0, 2) != "--") return Bad(fmt::format("argument {}: flags start with --; see --help", i));
    argument.remove_prefix(2);
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    Flag* flag = Find(name);
    std::string_view value;
    if (flag == nullptr && name.substr(0, 3) == "no-" && equals == std::string_view::npos) {
      flag = Find(name.substr(3));
      if (flag != nullptr && !flag->boolean) flag = nullptr;
      value = "0";
    } else if (flag != nullptr && equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (flag != nullptr && flag->boolean) {
      value = "1";
    } else if (flag != nullptr) {
      if (++i == argc) return Bad(fmt::format("--{}: needs a value", name));
      value = argv[i];
    }
    if (flag == nullptr) return Bad(fmt::format("argument {}: no such flag; see --help", i));
    if (const absl::Status status = flag->set(value); !status.ok()) {
      return Bad(fmt::format("--{}: {}", flag->name, Text(status)));
    }
  }
  return absl::OkStatus();
}

std::string FlagSet::Help() const {
  std::string text = fmt::format("{}: {}\n\nFlags (environment twin in brackets):\n", program_, purpose_);
  for (const Flag& flag : flags_) {
    text += fmt::format("  --{} [{}]\n      {}", flag.name, flag.twin, flag.help);
    if (!flag.shown_default.empty()) text += fmt::format(" (default {})", flag.shown_default);
    text += '\n';
  }
  return text;
}

}  // namespace medidesk
