// What answers a patient's message for the webhook; the assistant's client implements it.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <string>

#include "base/phi.h"
#include "base/phone_number.h"
#include "base/status.h"
#include "base/trace.h"

namespace medidesk::admin {

struct ReplyCall {
  PhoneNumber phone;
  Phi<std::string> text;   // NFC, 1 to 4,096 characters
  std::string message_id;  // the caller's, at most 256 bytes; empty: none, nothing is de-duplicated
  std::optional<std::chrono::system_clock::time_point> timestamp;  // the caller's claim
  TraceContext trace;
  std::chrono::steady_clock::time_point deadline;
};

struct ReplyResult {
  std::string conversation_id;               // UUID
  std::optional<Phi<std::string>> response;  // absent: nothing is to be sent (takeover)
  std::string status;                        // "active", "archived" or "human_takeover"
  std::string message_id;                    // under which the message is stored; may be empty
  bool duplicate = false;                    // the answer was given before
};

class ReplyBackend {
 public:
  virtual ~ReplyBackend() = default;

  // Ends by `call.deadline`, and soon after the awaiting coroutine is cancelled. Called from many
  // threads. Codes as gRPC means them: ABORTED while the same message is still being answered,
  // RESOURCE_EXHAUSTED and UNAVAILABLE when a retry helps, INVALID_ARGUMENT for a message that
  // cannot be taken. Texts are never shown to the caller.
  virtual boost::asio::awaitable<absl::StatusOr<ReplyResult>> Reply(ReplyCall call) = 0;
};

}  // namespace medidesk::admin
