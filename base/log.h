// Structured logging: a line is an event with fields, in text or JSON (spdlog underneath).
//
//   log::Info("turn_answered", {{"turn", log::Public(turn_id)}, {"ms", 12}});
//   text:  2026-11-24T10:00:00.000Z info turn_answered turn=0193… ms=12
//   JSON:  {"time":"…","level":"info","event":"turn_answered","turn":"0193…","ms":12}
//
// I7 is built in: numbers, booleans and string literals are fields as they are; any other string
// must be wrapped in Public(), a promise that it is an id, a code or a name of our own. Phi<T>
// and PhoneNumber have no way in.
//
// A line written while a TraceScope is open on its thread gets its trace id as the last field, `trace`.
//
// Thread-safe. Configure() once at start.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"

namespace medidesk::log {

enum class Level { kDebug, kInfo, kWarning, kError };
enum class Format { kText, kJson };

// A string that its writer vouches for: no patient's words, names, numbers, no secret.
struct Public {
  explicit Public(std::string_view text) : text(text) {}
  std::string_view text;
};

class Field {
 public:
  template <std::integral T>
  Field(const char* name, T value) : name_(name) {
    if constexpr (std::same_as<T, bool>) {
      value_ = value;
    } else {
      value_ = static_cast<std::int64_t>(value);
    }
  }
  Field(const char* name, double value) : name_(name), value_(value) {}
  template <std::size_t N>
  Field(const char* name, const char (&literal)[N]) : name_(name), value_(std::string_view(literal, N - 1)) {}
  Field(const char* name, Public value) : name_(name), value_(value.text) {}

  const char* name() const { return name_; }
  const std::variant<std::int64_t, bool, double, std::string_view>& value() const { return value_; }

 private:
  const char* name_;
  std::variant<std::int64_t, bool, double, std::string_view> value_;
};

using Fields = std::initializer_list<Field>;

// `level` is debug, info, warning or error; `format` text or json. INVALID_ARGUMENT names the flag.
absl::Status Configure(std::string_view level, std::string_view format);

// What the lines of this thread belong to while it lives; scopes nest. Coroutines: base/traced_executor.h.
using TraceId = std::shared_ptr<const std::string>;  // 32 hex digits; null: none
class TraceScope {
 public:
  explicit TraceScope(TraceId trace);
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  const TraceId trace_;
  const TraceId* const outer_;
};
// Of the innermost scope of this thread.
TraceId CurrentTrace();

bool Enabled(Level level);
void Write(Level level, std::string_view event, Fields fields);

inline void Debug(std::string_view event, Fields fields = {}) { Write(Level::kDebug, event, fields); }
inline void Info(std::string_view event, Fields fields = {}) { Write(Level::kInfo, event, fields); }
inline void Warning(std::string_view event, Fields fields = {}) { Write(Level::kWarning, event, fields); }
inline void Error(std::string_view event, Fields fields = {}) { Write(Level::kError, event, fields); }

// One line without its newline; what Write gives to the sink. For tests.
std::string FormatLine(Format format, Level level, std::string_view event, Fields fields, std::int64_t unix_millis);

}  // namespace medidesk::log
