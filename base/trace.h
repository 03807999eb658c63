// Trace context as the W3C recommendation "Trace Context" (level 1) writes it:
//   traceparent: 00-<32 hex trace id>-<16 hex parent id>-<2 hex flags>
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace medidesk {

struct TraceContext {
  std::string trace_id;   // 32 lower-case hex digits
  std::string parent_id;  // 16 lower-case hex digits: the caller's span

  // A fresh trace. Thread-safe.
  static TraceContext New();
  // nullopt unless well formed and not all zero.
  static std::optional<TraceContext> Parse(std::string_view traceparent);

  // The header to send on, with a new span id of our own.
  std::string Header() const;
};

}  // namespace medidesk
