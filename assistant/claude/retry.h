// What a failed attempt means and how long to wait before the next: pure functions.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "assistant/claude/http_message.h"
#include "assistant/claude/messages.h"

namespace medidesk::assistant::claude {

// Why an attempt gave no usable answer.
enum class Trouble {
  kNone,
  kRateLimited,  // 429
  kOverloaded,   // 529
  kServer,       // other 5xx, 408, 409
  kTimeout,      // no answer in time, 504
  kConnection,   // refused, reset, TLS, ended early
  kMalformed,    // an answer that is not the API's
  kModelGone,    // 404: the model is unknown or retired
  kRejected,     // 400, 413, 422 and the like: the request is wrong
  kAccount,      // 401, 402, 403, a spend limit: the operator must act
  kRefused,      // the model declined
  kCut,          // ended at max_tokens or the context window
  kEmpty,        // no text, no tool call
  kBusy,         // our own connection pool is full
  kSkipped,      // not asked: it failed too often just now (circuit.h)
  kCancelled,
};

// A closed word for logs and metric labels.
std::string_view Name(Trouble trouble);

struct Verdict {
  Trouble trouble = Trouble::kNone;
  bool retry = false;     // the same model, after a wait
  bool fallback = false;  // another model may answer when retrying is over
  bool alarm = false;     // somebody must act: it will fail again
  // The wait that the server asks for.
  std::optional<std::chrono::milliseconds> wait = std::nullopt;
};

// Judges an HTTP answer that is not 200. `wall_now` is for a retry-after date.
Verdict Classify(const HttpHead& head, const ApiError& error, std::chrono::system_clock::time_point wall_now);

// Judges an `error` event of a stream, which carries no status.
Verdict ClassifyStreamError(const ApiError& error);

// Judges an attempt that ended without an answer (transport, timeout, malformed).
Verdict ClassifyTransport(const absl::Status& status);

// The wait before retry number `retry` (0, 1, 2 ...): what the server asked for, else
// min(0.5 s * 2^retry, 8 s), less up to a quarter. `random` is uniform in [0, 1).
std::chrono::milliseconds WaitBeforeRetry(const Verdict& verdict, int retry, double random);

// retry-after-ms (milliseconds), else retry-after (seconds or an HTTP date). nullopt when absent,
// malformed, not positive or above 2^31-1 ms.
std::optional<std::chrono::milliseconds> RetryAfter(const HttpHeaders& headers,
                                                    std::chrono::system_clock::time_point wall_now);

}  // namespace medidesk::assistant::claude
