// What all handlers of one server share: the event loop they run on, the bounds on how many run at
// once, and their metrics. Made in main, passed to each service, closed by rpc::Server.
//
//   medidesk_<service>_rpc_requests_total{method,code}   calls that ended
//   medidesk_<service>_rpc_seconds{method}               histogram of unary calls
//   medidesk_<service>_rpc_in_flight{method}             calls that run now
//
// Thread-safe. Outlives every call: Server::Shutdown waits for them.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/intrusive/list.hpp>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "base/rpc/call.h"
#include "base/status.h"

namespace medidesk::rpc {

namespace asio = boost::asio;

class CallGuard;
class Dispatcher;
struct MethodMetrics;

enum class CallKind {
  kUnary,
  kStream,         // ends by itself: a server that stops waits for it
  kEndlessStream,  // ends when one side goes: a server that stops cancels it first
};

// One call from its admission to its end. Internal to serve.h; everything that is not said to be
// thread-safe belongs to `strand()`.
class RunningCall : public std::enable_shared_from_this<RunningCall>, public boost::intrusive::list_base_hook<> {
 public:
  using Strand = asio::strand<asio::io_context::executor_type>;

  RunningCall(Dispatcher& dispatcher, MethodMetrics& metrics, Call call, CallKind kind);
  virtual ~RunningCall();
  RunningCall(const RunningCall&) = delete;
  RunningCall& operator=(const RunningCall&) = delete;

  const Call& call() const { return call_; }
  const Strand& strand() const { return strand_; }
  CallKind kind() const { return kind_; }

  // Ends what the handler awaits with operation_aborted; the call ends with `code`. Thread-safe,
  // and without effect once the call has ended.
  void Cancel(absl::StatusCode code);

 protected:
  asio::cancellation_slot slot() { return signal_.slot(); }
  bool cancelled() const { return cancelled_ != absl::StatusCode::kOk; }
  // Null when there is nobody to ask, or nothing to wait for.
  const CallGuard* Guard() const;
  asio::awaitable<absl::Status> Authorize(const CallGuard& guard);
  // Cancels the call when its deadline passes; for calls where gRPC does not.
  void WatchDeadline();
  // The call's status from what its coroutine left behind, counted and logged. Call once, at the end.
  absl::Status End(std::exception_ptr error, absl::Status status);
  // Called on the strand when the call is cancelled, before the handler learns of it.
  std::function<void(const absl::Status&)> on_cancel_;

 private:
  absl::Status CancelledStatus() const;
  void Release();

  Dispatcher& dispatcher_;
  MethodMetrics& metrics_;
  Call call_;
  const CallKind kind_;
  const std::chrono::steady_clock::time_point start_;
  const Strand strand_;
  asio::cancellation_signal signal_;
  std::unique_ptr<asio::steady_timer> deadline_timer_;
  absl::StatusCode cancelled_ = absl::StatusCode::kOk;  // not kOk: the reason
  bool ended_ = false;
};

class Dispatcher {
 public:
  struct Options {
    std::string service;      // the second word of the metric names
    int max_in_flight = 512;  // unary calls; more are refused with RESOURCE_EXHAUSTED and a retry delay
    int max_streams = 512;    // open server streams, likewise
    std::chrono::milliseconds default_deadline{30'000};  // for a unary call whose client sets none
  };
  using Executor = asio::io_context::executor_type;

  Dispatcher(Executor executor, prometheus::Registry& registry, Options options);
  ~Dispatcher();

  const Executor& executor() const { return executor_; }

  // Who may call; before the server starts. Outlives every call. Without one everybody may.
  void SetGuard(const CallGuard* guard) { guard_ = guard; }

  // What follows is for serve.h and server.h.

  // OK, or why this call may not start. Each OK is followed by exactly one RunningCall.
  absl::Status Admit(CallKind kind);
  MethodMetrics& Metrics(const char* method);
  // Gives a unary call without a deadline the default one; true when it did. Logged once per method.
  bool SetDefaultDeadline(Call& call, MethodMetrics& metrics);

  void Count(MethodMetrics& metrics, absl::StatusCode code);
  const CallGuard* guard() const { return guard_; }

  void Close();  // new calls are refused with UNAVAILABLE
  void CancelEndless() { Cancel(/*all=*/false); }
  void CancelAll() { Cancel(/*all=*/true); }
  int running() const { return unary_.load() + streams_.load(); }
  // Waits until no call runs and gRPC has let go of all; false when `deadline` passed first.
  bool WaitUntilIdle(std::chrono::steady_clock::time_point deadline);

 private:
  friend class RunningCall;
  void Enter(RunningCall& call);
  void Leave(RunningCall& call);
  void Release(CallKind kind);
  void Cancel(bool all);
  std::atomic<int>& Running(CallKind kind) { return kind == CallKind::kUnary ? unary_ : streams_; }

  const Executor executor_;
  const Options options_;
  const CallGuard* guard_ = nullptr;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  prometheus::Family<prometheus::Gauge>& in_flight_;
  std::shared_mutex metrics_mutex_;
  std::map<std::string_view, std::unique_ptr<MethodMetrics>> metrics_;  // keys are literals

  std::atomic<int> unary_{0}, streams_{0};
  std::atomic<bool> closed_{false};
  std::mutex mutex_;
  std::condition_variable idle_;
  boost::intrusive::list<RunningCall> calls_;  // under mutex_
};

// The metrics of one method, made at its first call.
struct MethodMetrics {
  static constexpr int kCodes = 17;  // OK to UNAUTHENTICATED

  const char* method;
  std::array<std::atomic<prometheus::Counter*>, kCodes> by_code = {};
  prometheus::Histogram* seconds;
  prometheus::Gauge* in_flight;
  std::atomic<bool> default_deadline_logged{false};
};

}  // namespace medidesk::rpc
