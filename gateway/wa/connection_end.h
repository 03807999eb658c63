// Why a connection ended, and what that means for the next one.
//
// The server says it in <failure reason="N"/> instead of a login, or in <stream:error code="N"/> at any time; the rest
// is what we saw ourselves.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "gateway/wa/node.h"

namespace medidesk::gateway::wa {

enum class EndKind {
  kRestart,          // 515: again at once
  kRetry,            // lost, timed out, 500, 503: again after a while
  kSlowRetry,        // 429: again after a long while
  kUnknownRetry,     // a stream error we do not know: again, but not for ever
  kGenericRefusal,   // 400: once more after a long pause
  kMaybeLoggedOut,   // 419: logged out if it says so twice
  kLoggedOut,        // 401, 403, 406, 516: the link is gone
  kReplaced,         // another program uses the same keys
  kVersionRefused,   // 405: the client version is too old
  kBanned,           // 402: for a time
  kRefused,          // 409, 413, 414, 415, 418, 501: our mistake or something new; a person must look
  kUntrustedServer,  // the server could not prove that it is WhatsApp
};

struct ConnectionEnd {
  EndKind kind = EndKind::kRetry;
  int code = 0;  // of the server; 0 when it gave none
  // For people and metrics: "failure.401", "stream.515", "stream.replaced", "closed", "keepalive", "handshake", ...
  std::string reason = "closed";
  std::optional<std::chrono::seconds> ban = {};  // of kBanned, from now; absent: the server named no end
  int ban_code = 0;                              // of kBanned: what for, 101 to 106

  friend bool operator==(const ConnectionEnd&, const ConnectionEnd&) = default;
};

ConnectionEnd EndOfFailure(const Node& failure);
ConnectionEnd EndOfStreamError(const Node& stream_error);

}  // namespace medidesk::gateway::wa
