#include "assistant/claude/client.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/cord.h"

#include "assistant/claude/attempt.h"
#include "assistant/claude/base_url.h"
#include "assistant/claude/connection_pool.h"
#include "assistant/claude/fallback_request.h"
#include "assistant/claude/model_probe.h"
#include "assistant/claude/model_profile.h"
#include "base/log.h"

namespace medidesk::assistant::claude {
namespace {

namespace asio = boost::asio;

constexpr char kTroubleUrl[] = "medidesk.assistant.claude/trouble";
constexpr int kMaxPauses = 3;
constexpr std::string_view kNudge = "Please answer the last message.";

absl::StatusCode CodeOf(Trouble trouble) {
  switch (trouble) {
    case Trouble::kRateLimited:
    case Trouble::kBusy:
      return absl::StatusCode::kResourceExhausted;
    case Trouble::kTimeout:
      return absl::StatusCode::kDeadlineExceeded;
    case Trouble::kRejected:
      return absl::StatusCode::kInvalidArgument;
    case Trouble::kAccount:
    case Trouble::kModelGone:
      return absl::StatusCode::kFailedPrecondition;
    case Trouble::kRefused:
      return absl::StatusCode::kAborted;
    case Trouble::kCut:
      return absl::StatusCode::kOutOfRange;
    case Trouble::kMalformed:
    case Trouble::kEmpty:
      return absl::StatusCode::kInternal;
    case Trouble::kCancelled:
      return absl::StatusCode::kCancelled;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

std::string_view Advice(Trouble trouble) {
  switch (trouble) {
    case Trouble::kRateLimited:
      return "the Claude API's rate limit is reached: raise the limit or send less";
    case Trouble::kTimeout:
      return "Claude did not answer within the budget";
    case Trouble::kConnection:
      return "no connection to the Claude API: check ANTHROPIC_BASE_URL, DNS, firewall and certificates";
    case Trouble::kMalformed:
      return "the Claude API's answer is not understood: check ANTHROPIC_BASE_URL";
    case Trouble::kModelGone:
      return "the Claude API does not know the model: check MEDIDESK_MODEL and MEDIDESK_FALLBACK_MODEL";
    case Trouble::kRejected:
      return "the Claude API rejects the request as malformed or too large";
    case Trouble::kAccount:
      return "the Claude API refuses the account: check ANTHROPIC_API_KEY, its rights and its spend limit";
    case Trouble::kRefused:
      return "Claude declined to answer: hand over to a person";
    case Trouble::kCut:
      return "Claude's answer did not fit its limit";
    case Trouble::kEmpty:
      return "Claude gave an empty answer";
    case Trouble::kBusy:
      return "too many questions wait for the Claude API";
    case Trouble::kCancelled:
      return "the caller went away";
    default:
      return "the Claude API is out of service";
  }
}

absl::Status Failure(Trouble trouble, std::string_view message) {
  absl::Status status = Error(CodeOf(trouble), message);
  status.SetPayload(kTroubleUrl, absl::Cord(std::to_string(static_cast<int>(trouble))));
  return status;
}

// A model with what is known about it.
struct Target {
  Target(std::string model, Circuit::Options options) : model(std::move(model)), circuit(options) {}

  const std::string model;
  Circuit circuit;
  std::mutex mutex;
  std::optional<Capabilities> capabilities;  // guarded by mutex

  ModelSettings Settings() {
    const std::lock_guard lock(mutex);
    return SettingsFor(model, capabilities);
  }
};

// Tells the circuit how an attempt ended, also when it is cancelled.
class CircuitReport {
 public:
  explicit CircuitReport(Circuit& circuit) : circuit_(circuit) {}
  ~CircuitReport() {
    if (!reported_) circuit_.OnAbandoned();
  }
  void Report(const Verdict& verdict, Clock::time_point now) {
    reported_ = true;
    switch (verdict.trouble) {
      case Trouble::kRateLimited:
      case Trouble::kOverloaded:
      case Trouble::kServer:
      case Trouble::kTimeout:
      case Trouble::kConnection:
      case Trouble::kMalformed:
      case Trouble::kModelGone:
        circuit_.OnFailure(now);
        break;
      case Trouble::kBusy:
      case Trouble::kCancelled:
        circuit_.OnAbandoned();
        break;
      default:
        circuit_.OnSuccess();
    }
  }

 private:
  Circuit& circuit_;
  bool reported_ = false;
};

// Counts an attempt, also when it is cancelled, and what it used as far as its end was seen.
class AttemptMeter {
 public:
  AttemptMeter(Metrics& metrics, const Target& target, const ClientOptions& options)
      : metrics_(metrics), target_(target), options_(options), timing_(options.timing), start_(timing_.now()) {}
  ~AttemptMeter() {
    metrics_.OnAttempt(target_.model, outcome_, took());
    metrics_.OnUsage(target_.model, usage_);
    // Nothing was sent while all connections were taken.
    if (options_.on_request && outcome_ != Trouble::kBusy) {
      options_.on_request(target_.model, outcome_ == Trouble::kNone, usage_);
    }
  }
  Clock::duration took() const { return timing_.now() - start_; }
  void Set(Trouble outcome, const Usage& usage) {
    outcome_ = outcome;
    usage_ = usage;
  }

 private:
  Metrics& metrics_;
  const Target& target_;
  const ClientOptions& options_;
  const Timing& timing_;
  const Clock::time_point start_;
  Usage usage_;
  Trouble outcome_ = Trouble::kCancelled;
};

// What one call carries from attempt to attempt.
struct Call {
  Deadline deadline;
  const OnText* on_text = nullptr;  // null: not streamed
  bool text_passed = false;
  int attempts = 0;
  std::string request_id;
  absl::Status refused_by_caller;
};

// What asking one model came to.
struct Outcome {
  Verdict verdict;
  Result result;  // with verdict kNone
};

Outcome Ended(Trouble trouble, bool fallback = false) {
  Outcome outcome;
  outcome.verdict.trouble = trouble;
  outcome.verdict.fallback = fallback;
  return outcome;
}

class ClientImpl final : public Client {
 public:
  ClientImpl(ClientOptions options, std::unique_ptr<ConnectionPool> pool, Metrics& metrics)
      : options_(std::move(options)),
        metrics_(metrics),
        api_(std::move(pool), std::move(options_.api_key), options_.timing),
        primary_(options_.model, options_.circuit),
        fallback_(options_.fallback_model, options_.circuit) {}

  asio::awaitable<absl::StatusOr<Result>> Ask(Request request, Deadline deadline, StartWith start) override {
    return Guarded(std::move(request), deadline, nullptr, start);
  }

  asio::awaitable<absl::StatusOr<Result>> Stream(Request request, Deadline deadline, OnText on_text,
                                                 StartWith start) override {
    return Guarded(std::move(request), deadline, std::move(on_text), start);
  }

  asio::awaitable<void> Probe() override {
    co_await ProbeOne(primary_);
    if (has_fallback()) co_await ProbeOne(fallback_);
  }

 private:
  bool has_fallback() const { return !fallback_.model.empty() && fallback_.model != primary_.model; }
  Clock::time_point now() const { return options_.timing.now(); }
  bool WorthTrying(Deadline deadline) const { return deadline - now() >= options_.min_attempt; }

  // Exceptions of Asio (a cancelled coroutine) and of the library stop here.
  asio::awaitable<absl::StatusOr<Result>> Guarded(Request request, Deadline deadline, OnText on_text, StartWith start) {
    absl::StatusOr<Result> out = Failure(Trouble::kCancelled, Advice(Trouble::kCancelled));
    try {
      out = co_await Run(std::move(request), deadline, on_text ? &on_text : nullptr, start);
    } catch (const boost::system::system_error& error) {
      if (error.code() != asio::error::operation_aborted) {
        out = Failure(Trouble::kConnection, Advice(Trouble::kConnection));
      }
    } catch (const std::exception&) {
      out = Failure(Trouble::kServer, "asking Claude failed inside the process");
    }
    if (!out.ok()) metrics_.OnFailure(TroubleOf(out.status()));
    co_return out;
  }

  asio::awaitable<absl::StatusOr<Result>> Run(Request request, Deadline deadline, const OnText* on_text,
                                              StartWith start) {
    Call call;
    call.deadline = deadline;
    call.on_text = on_text;
    const std::size_t all_messages = request.messages.size();

    Outcome outcome = Ended(Trouble::kTimeout, true);
    if (start == StartWith::kPrimary || !has_fallback()) {
      outcome = co_await AskModel(primary_, request, PrimaryDeadline(deadline), options_.max_attempts, call);
      if (outcome.verdict.trouble == Trouble::kNone) {
        outcome.result.messages_used = all_messages;
        co_return std::move(outcome.result);
      }
      const bool go_on = outcome.verdict.fallback && !call.text_passed && has_fallback() && WorthTrying(deadline);
      if (!go_on) co_return Fail(outcome.verdict, call);
      metrics_.OnFallback();
    }

    FallbackRequest other;
    if (start == StartWith::kFallback) {
      other.request = std::move(request);
      other.messages_used = all_messages;
    } else {
      other = ForOtherModel(request);
    }
    const Verdict first = outcome.verdict;
    const Deadline until = std::min<Deadline>(deadline, now() + options_.fallback_budget);
    outcome = co_await AskModel(fallback_, other.request, until, 1, call);
    if (outcome.verdict.trouble == Trouble::kNone) {
      outcome.result.used_fallback = true;
      outcome.result.messages_used = other.messages_used;
      co_return std::move(outcome.result);
    }
    // A fallback that was not even asked must not hide why the primary failed.
    if (outcome.verdict.trouble == Trouble::kSkipped && start == StartWith::kPrimary) outcome.verdict = first;
    co_return Fail(outcome.verdict, call);
  }

  Deadline PrimaryDeadline(Deadline deadline) const {
    const Clock::time_point start = now();
    const Clock::duration left = std::max(deadline - start, Clock::duration::zero());
    if (!has_fallback()) return deadline;
    const Clock::duration both = options_.primary_budget + options_.fallback_budget;
    if (left >= both) return start + options_.primary_budget;
    const double share = std::chrono::duration<double>(options_.primary_budget) / std::chrono::duration<double>(both);
    return start + std::chrono::duration_cast<Clock::duration>(left * share);
  }

  absl::Status Fail(const Verdict& verdict, const Call& call) const {
    if (!call.refused_by_caller.ok()) return call.refused_by_caller;
    return Failure(verdict.trouble, Advice(verdict.trouble));
  }

  // Asks `target`: at most `max_attempts` requests that fail, and the repeats that an answer calls
  // for (cut, empty, paused), all before `deadline`.
  asio::awaitable<Outcome> AskModel(Target& target, const Request& original, Deadline deadline, int max_attempts,
                                    Call& call) {
    Request request = original;
    ModelSettings settings = target.Settings();
    settings.stream = call.on_text != nullptr;
    std::vector<ContentBlock> carried;  // of paused answers
    bool widened = false, nudged = false;
    int failures = 0, pauses = 0;

    while (true) {
      if (!target.circuit.Allow(now())) co_return Ended(Trouble::kSkipped, true);
      absl::StatusOr<std::string> body = SerializeRequest(request, settings);
      if (!body.ok()) {
        target.circuit.OnAbandoned();
        log::Error("claude_request_invalid", {{"rule", log::Public(Text(body.status()))}});
        co_return Ended(Trouble::kRejected);
      }
      Attempt attempt = co_await AttemptOnce(target, *std::move(body), deadline, call);

      if (attempt.verdict.trouble != Trouble::kNone) {
        Outcome outcome;
        outcome.verdict = attempt.verdict;
        if (!attempt.verdict.retry || call.text_passed || ++failures >= max_attempts) co_return outcome;
        const auto wait = WaitBeforeRetry(attempt.verdict, failures - 1, options_.timing.random());
        if (!WorthTrying(deadline - wait)) co_return outcome;
        if (target.circuit.open(now())) co_return outcome;
        co_await options_.timing.sleep(wait);
        metrics_.OnRetry(target.model);
        continue;
      }

      Response& response = attempt.response;
      const std::string& stop = response.stop_reason;
      const bool may_repeat = !call.text_passed && WorthTrying(deadline);
      if (stop == "refusal") co_return Ended(Trouble::kRefused, true);
      if (stop == "model_context_window_exceeded") co_return Ended(Trouble::kCut);
      if (stop == "max_tokens") {
        if (widened || !may_repeat) co_return Ended(Trouble::kCut);
        widened = true;
        settings.max_tokens = Widened(request.max_tokens, settings.stream);
        continue;
      }
      std::move(response.content.begin(), response.content.end(), std::back_inserter(carried));
      if (stop == "pause_turn" && ++pauses <= kMaxPauses && WorthTrying(deadline)) {
        Resume(request, carried);
        settings.resumes = true;
        continue;
      }

      std::string text = JoinedText(carried);
      std::vector<ToolUseBlock> tools;
      if (stop == "tool_use") tools = ToolUses(carried);
      if (text.empty() && tools.empty()) {
        const bool plain_end = stop == "end_turn" || stop == "stop_sequence";
        if (!plain_end || nudged || !may_repeat) co_return Ended(Trouble::kEmpty);
        nudged = true;
        carried.clear();
        settings.resumes = false;
        request.messages.push_back(UserText(std::string(kNudge)));
        continue;
      }
      Outcome outcome;
      outcome.result.model = target.model;
      outcome.result.text = std::move(text);
      outcome.result.tool_use = std::move(tools);
      outcome.result.content = std::move(carried);
      outcome.result.stop_reason = stop;
      outcome.result.usage = response.usage;
      outcome.result.attempts = call.attempts;
      outcome.result.request_id = call.request_id;
      co_return outcome;
    }
  }

  static int Widened(int max_tokens, bool stream) {
    const int doubled = max_tokens > (1 << 24) ? max_tokens : max_tokens * 2;
    return stream ? doubled : std::max(max_tokens, std::min(doubled, kMaxTokensWithoutStream));
  }

  // Sends a paused turn back as it came, so that the model goes on with it.
  static void Resume(Request& request, const std::vector<ContentBlock>& so_far) {
    if (request.messages.back().role != Role::kAssistant) {
      Message paused;
      paused.role = Role::kAssistant;
      request.messages.push_back(std::move(paused));
    }
    request.messages.back().content = so_far;
  }

  asio::awaitable<Attempt> AttemptOnce(Target& target, std::string body, Deadline deadline, Call& call) {
    CircuitReport report(target.circuit);
    AttemptMeter meter(metrics_, target, options_);
    ++call.attempts;
    Attempt attempt;
    if (call.on_text != nullptr) {
      TextSink sink{.on_text = *call.on_text, .after_text = call.deadline, .passed = call.text_passed};
      attempt = co_await api_.Post(std::move(body), deadline, &sink);
      call.text_passed = sink.passed;
    } else {
      attempt = co_await api_.Post(std::move(body), deadline, nullptr);
    }
    call.request_id = attempt.request_id;
    call.refused_by_caller = attempt.refused_by_caller;
    report.Report(attempt.verdict, now());
    const Trouble outcome =
        attempt.verdict.trouble == Trouble::kNone ? OfAnswer(attempt.response) : attempt.verdict.trouble;
    meter.Set(outcome, attempt.response.usage);
    if (outcome != Trouble::kNone && outcome != Trouble::kCancelled) Log(target, attempt, outcome, meter.took());
    co_return attempt;
  }

  static Trouble OfAnswer(const Response& response) {
    const std::string& stop = response.stop_reason;
    if (stop == "refusal") return Trouble::kRefused;
    if (stop == "max_tokens" || stop == "model_context_window_exceeded") return Trouble::kCut;
    if (stop == "pause_turn") return Trouble::kNone;
    return JoinedText(response.content).empty() && ToolUses(response.content).empty() ? Trouble::kEmpty
                                                                                      : Trouble::kNone;
  }

  static void Log(const Target& target, const Attempt& attempt, Trouble outcome, Clock::duration took) {
    log::Write(attempt.verdict.alarm ? log::Level::kError : log::Level::kWarning, "claude_attempt_failed",
               {{"model", log::Public(target.model)},
                {"outcome", log::Public(Name(outcome))},
                {"status", attempt.status},
                {"error_type", log::Public(attempt.error.type)},
                {"error_code", log::Public(attempt.error.code)},
                {"request", log::Public(attempt.request_id)},
                {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()},
                {"advice", log::Public(Advice(outcome))}});
  }

  asio::awaitable<void> ProbeOne(Target& target) {
    try {
      const Deadline deadline = now() + std::chrono::seconds(10);
      std::string path = "/v1/models/" + target.model;
      const absl::StatusOr<std::string> body = co_await api_.Get(std::move(path), deadline);
      if (!body.ok()) {
        LogProbeFailure(target, body.status());
        co_return;
      }
      absl::StatusOr<ModelInfo> info = ParseModelInfo(*body);
      if (!info.ok()) {
        LogProbeFailure(target, info.status());
        co_return;
      }
      LogModelInfo(target.model, *info);
      const std::lock_guard lock(target.mutex);
      target.capabilities = info->capabilities;
    } catch (const std::exception&) {
      log::Info("claude_probe_cancelled", {{"model", log::Public(target.model)}});
    }
  }

  static void LogProbeFailure(const Target& target, const absl::Status& status) {
    const bool gone = status.code() == absl::StatusCode::kNotFound;
    log::Write(gone ? log::Level::kError : log::Level::kWarning, "claude_probe_failed",
               {{"model", log::Public(target.model)},
                {"reason", log::Public(gone ? Advice(Trouble::kModelGone) : Text(status))}});
  }

  ClientOptions options_;
  Metrics& metrics_;
  Api api_;
  Target primary_;
  Target fallback_;
};

absl::Status CheckOptions(const ClientOptions& options) {
  const auto invalid = [](std::string_view rule) { return Error(absl::StatusCode::kInvalidArgument, rule); };
  const std::string& key = options.api_key.Expose();
  const bool printable = std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (key.empty() || key.size() > 1024 || !printable) {
    return invalid("ANTHROPIC_API_KEY: expected a key of printable characters without spaces");
  }
  if (!IsModelId(options.model)) return invalid("MEDIDESK_MODEL: expected a model id such as claude-haiku-5-5");
  if (!options.fallback_model.empty() && !IsModelId(options.fallback_model)) {
    return invalid("MEDIDESK_FALLBACK_MODEL: expected a model id such as claude-sonnet-5-5, or nothing");
  }
  if (options.max_connections == 0 || options.max_attempts < 1 || options.primary_budget.count() <= 0 ||
      options.fallback_budget.count() <= 0) {
    return invalid("the Claude client's budgets, attempts and connections must be positive");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> MakeClient(asio::any_io_executor executor, ClientOptions options,
                                                   Metrics& metrics) {
  MD_RETURN_IF_ERROR(CheckOptions(options));
  ConnectionPool::Options pool_options;
  MD_ASSIGN_OR_RETURN(pool_options.origin, ParseBaseUrl(options.base_url));
  if (!pool_options.origin.tls && pool_options.origin.host != "127.0.0.1" && pool_options.origin.host != "::1" &&
      pool_options.origin.host != "localhost") {
    log::Warning("claude_without_tls", {{"advice", "patients' words and the API key travel unencrypted: use https"}});
  }
  pool_options.max_connections = options.max_connections;
  pool_options.max_waiting = options.max_waiting;
  pool_options.connect_timeout = options.connect_timeout;
  pool_options.first_byte_timeout = options.first_byte_timeout;
  pool_options.silence_timeout = options.silence_timeout;
  pool_options.ca_file = options.ca_file;
  pool_options.now = options.timing.now;
  MD_ASSIGN_OR_RETURN(auto pool, ConnectionPool::Make(std::move(executor), std::move(pool_options)));
  return std::make_unique<ClientImpl>(std::move(options), std::move(pool), metrics);
}

Trouble TroubleOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kTroubleUrl);
  if (!payload) return Trouble::kNone;
  return static_cast<Trouble>(std::stoi(std::string(*payload)));
}

}  // namespace medidesk::assistant::claude
