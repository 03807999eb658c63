// Cuts a text/event-stream body into events (WHATWG HTML, "Server-sent events").
//
//   event: content_block_delta\n
//   data: {"type":...}\n
//   \n                           <- an event counts only after its blank line
//
// Sans-I/O: the caller feeds what the socket gave and takes events. Lines end with \n, \r\n or
// \r, cut anywhere; several data lines are joined with \n; comments and unknown fields are
// skipped. A line or an event above `max_bytes` breaks the parser for good.
//
// Not thread-safe; never throws on hostile bytes.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace medidesk::assistant::claude {

struct SseEvent {
  std::string name;  // "message" when the stream names none
  std::string data;

  friend bool operator==(const SseEvent&, const SseEvent&) = default;
};

class SseParser {
 public:
  static constexpr std::size_t kMaxBytes = 1u << 20;

  explicit SseParser(std::size_t max_bytes = kMaxBytes) : max_bytes_(max_bytes) {}

  // Takes a copy of what it needs. RESOURCE_EXHAUSTED on this and every later call once a limit
  // was passed; events that were complete before stay available.
  absl::Status Feed(std::string_view bytes);

  // The next complete event, in order.
  std::optional<SseEvent> Next();

 private:
  absl::Status Line(std::string_view line);

  const std::size_t max_bytes_;
  std::string partial_;    // an unfinished line
  bool after_cr_ = false;  // a \n that comes next belongs to the \r before it
  bool at_start_ = true;   // a byte order mark may still come
  bool broken_ = false;
  SseEvent building_;
  bool has_data_ = false;
  std::deque<SseEvent> ready_;
};

}  // namespace medidesk::assistant::claude
