#include "base/rpc/dispatcher.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <cxxabi.h>

#include "base/log.h"
#include "base/rpc/call_guard.h"
#include "base/rpc/error_details.h"

namespace medidesk::rpc {
namespace {

constexpr std::chrono::milliseconds kRetryDelay{500};

const prometheus::Histogram::BucketBoundaries kSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                          0.25,   0.5,   1,      2.5,   5,    10,    30};

constexpr std::array<const char*, MethodMetrics::kCodes> kCodeNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

bool Aborted(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    return e.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

// The name of the exception's type: what() may quote anything.
std::string TypeName(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    return type == nullptr ? "unknown" : type->name();
  }
}

}  // namespace

RunningCall::RunningCall(Dispatcher& dispatcher, MethodMetrics& metrics, Call call, CallKind kind)
    : dispatcher_(dispatcher),
      metrics_(metrics),
      call_(std::move(call)),
      kind_(kind),
      start_(std::chrono::steady_clock::now()),
      strand_(asio::make_strand(dispatcher.executor())) {
  metrics_.in_flight->Increment();
  dispatcher_.Enter(*this);
}

RunningCall::~RunningCall() {
  if (!ended_) Release();  // its event loop was destroyed
  dispatcher_.Leave(*this);
}

// Not in the destructor: when gRPC is busy it keeps answered calls for long.
void RunningCall::Release() {
  ended_ = true;
  metrics_.in_flight->Decrement();
  dispatcher_.Release(kind_);
}

const CallGuard* RunningCall::Guard() const {
  const CallGuard* guard = dispatcher_.guard();
  return guard == nullptr || guard->AllowsAtOnce(call_) ? nullptr : guard;
}

asio::awaitable<absl::Status> RunningCall::Authorize(const CallGuard& guard) {
  return guard.Authorize(&call_, metrics_.method);
}

void RunningCall::Cancel(absl::StatusCode code) {
  asio::dispatch(strand_, [self = shared_from_this(), code] {
    if (self->ended_ || self->cancelled_ != absl::StatusCode::kOk) return;
    // gRPC tells a passed deadline as a cancellation.
    const bool late = code == absl::StatusCode::kCancelled && Call::Clock::now() >= self->call_.deadline;
    self->cancelled_ = late ? absl::StatusCode::kDeadlineExceeded : code;
    if (self->on_cancel_) self->on_cancel_(self->CancelledStatus());
    self->signal_.emit(asio::cancellation_type::all);
  });
}

void RunningCall::WatchDeadline() {
  if (call_.deadline == Call::Clock::time_point::max()) return;
  deadline_timer_ = std::make_unique<asio::steady_timer>(dispatcher_.executor(), call_.deadline - Call::Clock::now());
  deadline_timer_->async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = error ? nullptr : weak.lock();
    if (self) self->Cancel(absl::StatusCode::kDeadlineExceeded);
  });
}

absl::Status RunningCall::CancelledStatus() const {
  switch (cancelled_) {
    case absl::StatusCode::kDeadlineExceeded:
      return Error(cancelled_, "the deadline of the call has passed");
    case absl::StatusCode::kUnavailable:
      return Error(cancelled_, "the server is stopping: try again");
    default:
      return Error(cancelled_, "cancelled by the caller");
  }
}

absl::Status RunningCall::End(std::exception_ptr error, absl::Status status) {
  deadline_timer_.reset();
  if (error) {
    if (cancelled_ != absl::StatusCode::kOk && Aborted(error)) {
      status = CancelledStatus();
    } else {
      log::Error("rpc_exception", {{"method", log::Public(metrics_.method)},
                                   {"type", log::Public(TypeName(error))},
                                   {"trace", log::Public(call_.trace.trace_id)}});
      status = Error(absl::StatusCode::kInternal, "internal error");
    }
  } else if (cancelled_ != absl::StatusCode::kOk && status.code() == absl::StatusCode::kCancelled) {
    status = CancelledStatus();  // the handler noticed by itself
  }
  dispatcher_.Count(metrics_, status.code());
  const auto took = std::chrono::steady_clock::now() - start_;
  if (kind_ == CallKind::kUnary) metrics_.seconds->Observe(std::chrono::duration<double>(took).count());
  if (const log::Level level = status.ok() ? log::Level::kDebug : log::Level::kInfo; log::Enabled(level)) {
    log::Write(
        level, "rpc_ended",
        {{"service", log::Public(dispatcher_.options_.service)},
         {"method", log::Public(metrics_.method)},
         {"code", log::Public(kCodeNames[std::clamp(static_cast<int>(status.code()), 0, MethodMetrics::kCodes - 1)])},
         {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()},
         {"trace", log::Public(call_.trace.trace_id)}});
  }
  Release();
  return status;
}

Dispatcher::Dispatcher(Executor executor, prometheus::Registry& registry, Options options)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      requests_(prometheus::BuildCounter()
                    .Name("medidesk_" + options_.service + "_rpc_requests_total")
                    .Help("Calls that ended, by method and status code.")
                    .Register(registry)),
      seconds_(prometheus::BuildHistogram()
                   .Name("medidesk_" + options_.service + "_rpc_seconds")
                   .Help("Duration of unary calls in seconds, by method.")
                   .Register(registry)),
      in_flight_(prometheus::BuildGauge()
                     .Name("medidesk_" + options_.service + "_rpc_in_flight")
                     .Help("Calls that are running, by method.")
                     .Register(registry)) {}

Dispatcher::~Dispatcher() = default;

absl::Status Dispatcher::Admit(CallKind kind) {
  std::atomic<int>& count = Running(kind);
  const int limit = kind == CallKind::kUnary ? options_.max_in_flight : options_.max_streams;
  // Counted first, so that WaitUntilIdle() sees each call that Close() did not stop.
  if (++count > limit) {
    Release(kind);
    return WithRetryDelay(Error(absl::StatusCode::kResourceExhausted, "too many calls at once: retry with backoff"),
                          kRetryDelay);
  }
  if (closed_) {
    Release(kind);
    return Error(absl::StatusCode::kUnavailable, "the server is stopping: try again");
  }
  return absl::OkStatus();
}

void Dispatcher::Release(CallKind kind) {
  std::lock_guard lock(mutex_);
  --Running(kind);
  idle_.notify_all();
}

MethodMetrics& Dispatcher::Metrics(const char* method) {
  {
    std::shared_lock lock(metrics_mutex_);
    if (const auto found = metrics_.find(method); found != metrics_.end()) return *found->second;
  }
  std::unique_lock lock(metrics_mutex_);
  std::unique_ptr<MethodMetrics>& metrics = metrics_[method];
  if (metrics == nullptr) {
    metrics = std::make_unique<MethodMetrics>();
    metrics->method = method;
    metrics->seconds = &seconds_.Add({{"method", method}}, kSeconds);
    metrics->in_flight = &in_flight_.Add({{"method", method}});
  }
  return *metrics;
}

void Dispatcher::Count(MethodMetrics& metrics, absl::StatusCode code) {
  const int index = std::clamp(static_cast<int>(code), 0, MethodMetrics::kCodes - 1);
  prometheus::Counter* counter = metrics.by_code[index].load(std::memory_order_acquire);
  if (counter == nullptr) {
    counter = &requests_.Add({{"method", metrics.method}, {"code", kCodeNames[index]}});  // the same one for all
    metrics.by_code[index].store(counter, std::memory_order_release);
  }
  counter->Increment();
}

bool Dispatcher::SetDefaultDeadline(Call& call, MethodMetrics& metrics) {
  if (call.deadline != Call::Clock::time_point::max()) return false;
  call.deadline = Call::Clock::now() + options_.default_deadline;
  if (!metrics.default_deadline_logged.exchange(true)) {
    log::Debug("rpc_default_deadline", {{"method", log::Public(metrics.method)},
                                        {"ms", static_cast<std::int64_t>(options_.default_deadline.count())}});
  }
  return true;
}

void Dispatcher::Close() { closed_ = true; }

void Dispatcher::Cancel(bool all) {
  // Owners are dropped after the lock: the last one calls Leave().
  std::vector<std::shared_ptr<RunningCall>> alive;
  {
    std::lock_guard lock(mutex_);
    for (RunningCall& call : calls_) {
      if (!all && call.kind() != CallKind::kEndlessStream) continue;
      if (auto owner = call.weak_from_this().lock()) alive.push_back(std::move(owner));
    }
  }
  for (const auto& call : alive) call->Cancel(absl::StatusCode::kUnavailable);
}

bool Dispatcher::WaitUntilIdle(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return idle_.wait_until(lock, deadline, [this] { return running() == 0 && calls_.empty(); });
}

void Dispatcher::Enter(RunningCall& call) {
  std::lock_guard lock(mutex_);
  calls_.push_back(call);
}

void Dispatcher::Leave(RunningCall& call) {
  std::lock_guard lock(mutex_);
  calls_.erase(calls_.iterator_to(call));
  idle_.notify_all();
}

}  // namespace medidesk::rpc
