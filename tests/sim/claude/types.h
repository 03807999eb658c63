// What the Claude stub is told to do and what it remembers, as values.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace medidesk::claude_stub {

// In order of arrival, names in lower case.
using Headers = std::vector<std::pair<std::string, std::string>>;

// One answer of POST /v1/messages. What a block leaves out (the id of a tool_use, the null
// fields) is filled in; unknown block types go out as they are.
struct Reply {
  boost::json::array content{};
  std::string stop_reason{};          // empty: tool_use when a tool_use block is there, else end_turn
  boost::json::value stop_details{};  // null unless stop_reason is refusal
  boost::json::object usage{};        // laid over the counters the stub makes up
  std::chrono::milliseconds delay{0};
};

// What goes wrong, and for how many requests.
struct Fault {
  enum class Mode {
    kHttp,        // an error answer with `status`, `type`, `message`, `headers`
    kDelay,       // only `delay`, then the ordinary answer
    kDisconnect,  // closes without a byte
    kHang,        // never answers; ends when the client closes
    kSseError,    // an `error` event after `after_deltas` deltas; without a stream as kHttp
    kTruncate,    // closes the socket after `after_deltas` deltas; without a stream after half the body
    kStall,       // goes silent after `after_deltas` deltas; without a stream as kHang
  };
  Mode mode = Mode::kHttp;
  std::int64_t times = 1;
  std::string path{};  // without query; empty: any
  int status = 500;
  std::string type{};  // empty: the one that belongs to `status`
  std::string message = "injected fault";
  boost::json::value details{};       // of the error; null: left out
  std::optional<std::string> body{};  // kHttp: sent as text/html in place of the envelope, as a proxy would
  Headers headers{};
  std::chrono::milliseconds delay{0};
  std::int64_t after_deltas = 1;
};

// A scripted answer: used when the last user text holds `contains`.
struct Rule {
  std::string contains{};  // lower case (ASCII); empty: always
  Reply reply;
};

struct Script {
  enum class Mode {
    kEcho,   // "stub: <last user text>"
    kFacts,  // the lines of the system text that share most words with the user's: see facts.h
  };
  Mode mode = Mode::kEcho;
  std::vector<Rule> rules{};  // the first match wins, before the mode
};

// A request as it came, faulty ones and ones that met a fault included; the control plane's are not.
struct Request {
  std::string method;
  std::string path;   // without query
  std::string query;  // without '?'
  Headers headers;
  std::shared_ptr<const std::string> body;  // null: too large, or not kept
  bool too_large = false;                   // above kMaxBody; the body was read and dropped
  std::chrono::milliseconds at{0};          // since the stub started

  // The value, or nullptr. `name` in lower case.
  const std::string* Header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return &value;
    }
    return nullptr;
  }
};

inline constexpr std::uint64_t kMaxBody = 32u << 20;  // bytes

}  // namespace medidesk::claude_stub
