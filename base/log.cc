#include "base/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <utility>

namespace medidesk::log {
namespace {

Format g_format = Format::kText;                // set before threads start
thread_local const TraceId* t_trace = nullptr;  // of the innermost scope

spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>("medidesk", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *logger;
}

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

const char* Name(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      return "error";
  }
  return "info";
}

// Quotes, backslashes and control characters as JSON wants them; text lines use the same escapes.
void AppendEscaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
}

struct ValueWriter {
  std::string& out;
  bool quote_always;
  void operator()(std::int64_t value) const { fmt::format_to(std::back_inserter(out), "{}", value); }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(double value) const { fmt::format_to(std::back_inserter(out), "{:.6g}", value); }
  void operator()(std::string_view value) const {
    const bool quote = quote_always || value.empty() || value.find_first_of(" \"=\\\n\t") != std::string_view::npos;
    if (quote) out += '"';
    AppendEscaped(out, value);
    if (quote) out += '"';
  }
};

}  // namespace

absl::Status Configure(std::string_view level, std::string_view format) {
  if (level == "debug") {
    Logger().set_level(spdlog::level::debug);
  } else if (level == "info") {
    Logger().set_level(spdlog::level::info);
  } else if (level == "warning") {
    Logger().set_level(spdlog::level::warn);
  } else if (level == "error") {
    Logger().set_level(spdlog::level::err);
  } else {
    return medidesk::Error(absl::StatusCode::kInvalidArgument, "--log_level: expected debug, info, warning or error");
  }
  if (format != "text" && format != "json") {
    return medidesk::Error(absl::StatusCode::kInvalidArgument, "--log_format: expected text or json");
  }
  g_format = format == "json" ? Format::kJson : Format::kText;
  return absl::OkStatus();
}

TraceScope::TraceScope(TraceId trace) : trace_(std::move(trace)), outer_(t_trace) { t_trace = &trace_; }
TraceScope::~TraceScope() { t_trace = outer_; }
TraceId CurrentTrace() { return t_trace == nullptr ? nullptr : *t_trace; }

bool Enabled(Level level) { return Logger().should_log(ToSpdlog(level)); }

void Write(Level level, std::string_view event, Fields fields) {
  if (!Enabled(level)) return;
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  Logger().log(ToSpdlog(level), FormatLine(g_format, level, event, fields, now));
}

std::string FormatLine(Format format, Level level, std::string_view event, Fields fields, std::int64_t unix_millis) {
  const std::string time = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03d}Z",
                                       fmt::gmtime(static_cast<std::time_t>(unix_millis / 1000)), unix_millis % 1000);
  std::string line;
  std::string_view trace = t_trace == nullptr || *t_trace == nullptr ? std::string_view() : std::string_view(**t_trace);
  for (const Field& field : fields) {
    if (std::string_view(field.name()) == "trace") trace = {};  // the line says it itself
  }
  if (format == Format::kJson) {
    line = fmt::format(R"({{"time":"{}","level":"{}","event":")", time, Name(level));
    AppendEscaped(line, event);
    line += '"';
    for (const Field& field : fields) {
      line += ",\"";
      AppendEscaped(line, field.name());
      line += "\":";
      std::visit(ValueWriter{line, true}, field.value());
    }
    if (!trace.empty()) line.append(",\"trace\":\"").append(trace).append("\"");
    line += '}';
    return line;
  }
  line = fmt::format("{} {} ", time, Name(level));
  AppendEscaped(line, event);
  for (const Field& field : fields) {
    line += ' ';
    line += field.name();
    line += '=';
    std::visit(ValueWriter{line, false}, field.value());
  }
  if (!trace.empty()) line.append(" trace=").append(trace);
  return line;
}

}  // namespace medidesk::log
