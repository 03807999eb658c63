// Asks Claude, with retries, a fallback model and a budget: the one place that knows the API.
//
//   auto client = MakeClient(executor, options, metrics);            // in main
//   StatusOr<Result> answer = co_await client->Ask(request, deadline);
//
// One call: the primary model for at most `primary_budget`, retried as the API asks; then, when
// another model may do better, the fallback model once for at most `fallback_budget`; all of it
// inside the caller's deadline (a shorter deadline is shared in the same proportion). A model
// that keeps failing is skipped for some seconds (circuit.h).
//
// A call that fails gives a Status whose TroubleOf() says why: hand over to a person or to the
// fact answerer. kAccount, kRejected and kModelGone are logged as errors: somebody must act.
//
// Call from a coroutine on a strand or on a loop with one thread; cancelling it is safe at every
// moment and gives CANCELLED, or Asio's operation_aborted at the caller's own next co_await.
// (With Boost 1.81 a coroutine that is cancelled before its first step throws out of the loop, and
// the signal must outlive the call's end by one turn of the loop: whoever cancels sees to both.)
// The client must outlive its calls, and its executor's context must outlive the client.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "assistant/claude/circuit.h"
#include "assistant/claude/messages.h"
#include "assistant/claude/metrics.h"
#include "assistant/claude/retry.h"
#include "assistant/claude/timing.h"
#include "base/phi.h"
#include "base/status.h"

namespace medidesk::assistant::claude {

// A secret: like PHI it has no way into a log line or an error text.
using ApiKey = Phi<std::string>;

struct ClientOptions {
  ApiKey api_key;
  std::string base_url = "https://api.anthropic.com";
  std::string model = "claude-haiku-5-5";
  std::string fallback_model = "claude-sonnet-5-5";  // empty: none
  std::string ca_file;                               // PEM, trusted beside the system's; may be empty

  std::chrono::milliseconds primary_budget = std::chrono::seconds(12);
  std::chrono::milliseconds fallback_budget = std::chrono::seconds(8);
  std::chrono::milliseconds min_attempt = std::chrono::seconds(1);  // less time than this is not worth a request
  int max_attempts = 3;                                             // at the primary model, retries included

  std::size_t max_connections = 64;
  std::size_t max_waiting = 256;
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(5);
  std::chrono::milliseconds first_byte_timeout = std::chrono::seconds(15);
  std::chrono::milliseconds silence_timeout = std::chrono::seconds(30);

  // Told of each request that was sent, with what it used as far as the API has said; one that
  // was cancelled may count as nothing used. `usable`: it gave an answer.
  // Must not block; may be empty.
  std::function<void(std::string_view model, bool usable, const Usage& usage)> on_request;

  Circuit::Options circuit;
  Timing timing = SystemTiming();
};

struct Result {
  std::string model;                   // the configured id that answered
  std::string text;                    // all text blocks joined; may be empty beside tool calls
  std::vector<ToolUseBlock> tool_use;  // to be run; only with stop_reason tool_use
  // The assistant's turn as received, to be appended to the conversation in a tool loop.
  std::vector<ContentBlock> content;
  std::string stop_reason;
  Usage usage;             // of the answer's last request
  int attempts = 0;        // requests sent, all models
  std::string request_id;  // of the last one, for logs; may be empty
  bool used_fallback = false;
  // The answer belongs to messages[0, messages_used) of the request: a fallback model restarts a
  // tool loop, so cut the conversation there before appending `content`.
  std::size_t messages_used = 0;
};

// Gets the next piece of the answer's text, never empty. An error ends the call with that error.
using OnText = std::function<boost::asio::awaitable<absl::Status>(std::string_view text)>;

// Where a call may begin. A tool loop that the fallback model began stays with it.
enum class StartWith { kPrimary, kFallback };

class Client {
 public:
  virtual ~Client() = default;

  virtual boost::asio::awaitable<absl::StatusOr<Result>> Ask(Request request, Deadline deadline,
                                                             StartWith start = StartWith::kPrimary) = 0;

  // The same, streamed. Once `on_text` was called nothing is retried: a failure after that means
  // that the text so far is only a part.
  virtual boost::asio::awaitable<absl::StatusOr<Result>> Stream(Request request, Deadline deadline, OnText on_text,
                                                                StartWith start = StartWith::kPrimary) = 0;

  // Asks what the configured models can do and logs what an operator should know (lifecycle,
  // end of life). Call once at start; a failure is only logged.
  virtual boost::asio::awaitable<void> Probe() = 0;
};

// INVALID_ARGUMENT names the option that is wrong; FAILED_PRECONDITION when TLS cannot be set up.
absl::StatusOr<std::unique_ptr<Client>> MakeClient(boost::asio::any_io_executor executor, ClientOptions options,
                                                   Metrics& metrics);

// Why a call failed; kNone for an OK status and for one that is not this client's.
Trouble TroubleOf(const absl::Status& status);

}  // namespace medidesk::assistant::claude
