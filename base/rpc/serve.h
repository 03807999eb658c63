// The bridge from gRPC's callback API to coroutines, and the only place that knows reactors.
//
//   grpc::ServerUnaryReactor* Accept(grpc::CallbackServerContext* context, const AcceptRequest* request,
//                                    AcceptResponse* response) override {
//     return rpc::ServeUnary(context, dispatcher_, "ConversationService/Accept", response,
//                            [this, request](const rpc::Call& call) { return Accept(call, *request); });
//   }
//
// The handler runs on a strand of its own over the dispatcher's event loop; the Call and the request
// live until it has ended. When the caller cancels, the deadline passes or the server stops, what the
// handler awaits completes with operation_aborted; it should then end soon. An exception becomes
// INTERNAL and its text goes nowhere. Limits, metrics and the default deadline: dispatcher.h; who may call:
// call_guard.h.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "absl/status/statusor.h"

#include "base/rpc/dispatcher.h"
#include "base/rpc/error_details.h"
#include "base/rpc/local.h"

namespace medidesk::rpc {

// What a streaming handler sends with. One Write at a time, from the handler's own coroutine, and
// not after the handler has ended.
template <class Response>
class StreamWriter {
 public:
  // Completes when the message has been handed to the transport, which holds it back while the peer
  // does not read. False: the peer is gone, end the handler.
  virtual asio::awaitable<bool> Write(Response message) = 0;

 protected:
  ~StreamWriter() = default;
};

namespace internal {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <class T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// `finish(status, result)` is called once, on the strand, when the handler has ended.
template <class Result, class Handler, class Finish>
class HandlerRun final : public RunningCall {
 public:
  HandlerRun(Dispatcher& dispatcher, MethodMetrics& metrics, Call call, CallKind kind, Handler handler, Finish finish)
      : RunningCall(dispatcher, metrics, std::move(call), kind),
        handler_(std::move(handler)),
        finish_(std::move(finish)) {}

  void set_on_cancel(std::function<void(const absl::Status&)> on_cancel) { on_cancel_ = std::move(on_cancel); }

  void Start(bool watch_deadline) {
    asio::dispatch(strand(), [self = std::static_pointer_cast<HandlerRun>(shared_from_this()), watch_deadline] {
      if (watch_deadline) self->WatchDeadline();
      self->Spawn();
    });
  }

 private:
  void Spawn() {
    auto self = std::static_pointer_cast<HandlerRun>(shared_from_this());
    // The handler may have been cancelled before it began.
    if (cancelled())
      return Ended(std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted)),
                   Error(absl::StatusCode::kCancelled, ""));
    try {
      const CallGuard* const guard = Guard();
      asio::co_spawn(strand(), guard == nullptr ? handler_(call()) : Guarded(*guard),
                     asio::bind_cancellation_slot(slot(), [self](std::exception_ptr error, Result result) {
                       self->Ended(std::move(error), std::move(result));
                     }));
    } catch (...) {
      Ended(std::current_exception(), Error(absl::StatusCode::kInternal, ""));
    }
  }

  asio::awaitable<Result> Guarded(const CallGuard& guard) {
    const absl::Status refused = co_await Authorize(guard);
    if (!refused.ok()) co_return Result(refused);
    co_return co_await handler_(call());
  }

  void Ended(std::exception_ptr error, Result result) {
    const absl::Status status = End(std::move(error), StatusOf(result));
    finish_(status, std::move(result));
  }

  Handler handler_;
  Finish finish_;
};

template <class Result, class Handler, class Finish>
auto MakeRun(Dispatcher& dispatcher, MethodMetrics& metrics, Call call, CallKind kind, Handler handler, Finish finish) {
  return std::make_shared<HandlerRun<Result, Handler, Finish>>(dispatcher, metrics, std::move(call), kind,
                                                               std::move(handler), std::move(finish));
}

class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  // Set before the reactor is given to gRPC.
  std::shared_ptr<RunningCall> running;

 private:
  void OnCancel() override {
    if (running) running->Cancel(absl::StatusCode::kCancelled);
  }
  void OnDone() override { delete this; }
};

// gRPC calls OnWriteDone, OnCancel and OnDone from threads of its own. Finish is called on the
// strand, after the handler and so after its last write; OnDone comes after everything else.
template <class Response>
class StreamReactor final : public grpc::ServerWriteReactor<Response>, public StreamWriter<Response> {
 public:
  explicit StreamReactor(grpc::CallbackServerContext* context) : context_(context) {}

  std::shared_ptr<RunningCall> running;

  asio::awaitable<bool> Write(Response message) override {
    message_ = std::move(message);
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(
        [this](auto handler) { StartWriteFor(std::move(handler)); }, asio::use_awaitable);
  }

 private:
  static constexpr std::chrono::seconds kLastWrite{1};

  template <class WriteHandler>
  void StartWriteFor(WriteHandler handler) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) slot.assign([this](asio::cancellation_type) { GiveUpSoon(); });
    auto work = asio::make_work_guard(asio::get_associated_executor(handler));
    auto shared = std::make_shared<WriteHandler>(std::move(handler));  // std::function copies
    write_done_ = [this, shared, slot, work](bool ok) mutable {
      // `this` lives until the handler, which awaits this write, has ended.
      asio::post(work.get_executor(), [this, shared, slot, ok]() mutable {
        if (slot.is_connected()) slot.clear();
        give_up_.reset();
        std::move (*shared)(ok);
      });
    };
    this->StartWrite(&message_);
  }

  // The handler is being cancelled while it writes. A peer that reads takes the message soon and then
  // gets the status; one that does not read is cut off. On the strand.
  void GiveUpSoon() {
    if (give_up_ != nullptr) return;
    give_up_ = std::make_shared<asio::steady_timer>(running->strand(), kLastWrite);
    give_up_->async_wait([context = context_, alive = std::weak_ptr(give_up_)](boost::system::error_code error) {
      if (!error && alive.lock() != nullptr) context->TryCancel();
    });
  }

  void OnWriteDone(bool ok) override { std::exchange(write_done_, nullptr)(ok); }
  void OnCancel() override {
    if (running) running->Cancel(absl::StatusCode::kCancelled);
  }
  void OnDone() override { delete this; }

  grpc::CallbackServerContext* const context_;
  Response message_;                             // the one being written
  std::function<void(bool)> write_done_;         // set before StartWrite, taken in OnWriteDone
  std::shared_ptr<asio::steady_timer> give_up_;  // on the strand
};

}  // namespace internal

// Answers a unary call with the result of a coroutine. `handler` is called as
// `asio::awaitable<absl::StatusOr<Response>> handler(const Call&)`; `method` is a literal,
// "Service/Method".
template <class Response, class Handler>
grpc::ServerUnaryReactor* ServeUnary(grpc::CallbackServerContext* context, Dispatcher& dispatcher, const char* method,
                                     Response* response, Handler handler) {
  using Result = absl::StatusOr<Response>;
  MethodMetrics& metrics = dispatcher.Metrics(method);
  LocalContext* const local = LocalContext::From(context);
  auto* const reactor = local == nullptr ? new internal::UnaryReactor : nullptr;  // freed in OnDone
  if (local != nullptr) local->answered = true;

  if (const absl::Status admitted = dispatcher.Admit(CallKind::kUnary); !admitted.ok()) {
    dispatcher.Count(metrics, admitted.code());
    local != nullptr ? local->Finish(admitted) : reactor->Finish(ToGrpc(admitted));
    return reactor;
  }
  if (local != nullptr) {
    Call call = std::move(local->call);
    dispatcher.SetDefaultDeadline(call, metrics);
    auto run = internal::MakeRun<Result>(
        dispatcher, metrics, std::move(call), CallKind::kUnary, std::move(handler),
        [local, owner = local->self.lock(), response](const absl::Status& status, Result result) {
          if (status.ok()) *response = *std::move(result);
          local->Finish(status);
        });
    // As over the wire, the caller does not wait for a handler that it has given up.
    run->set_on_cancel([local](const absl::Status& status) { local->Finish(status); });
    local->running = run;
    run->Start(/*watch_deadline=*/true);
    return nullptr;
  }
  Call call = ReadCall(*context);
  const bool watch_deadline = dispatcher.SetDefaultDeadline(call, metrics);  // gRPC watches the others
  auto run = internal::MakeRun<Result>(dispatcher, metrics, std::move(call), CallKind::kUnary, std::move(handler),
                                       [reactor, response](const absl::Status& status, Result result) {
                                         if (status.ok()) *response = *std::move(result);
                                         reactor->Finish(ToGrpc(status));
                                       });
  reactor->running = run;
  run->Start(watch_deadline);
  return reactor;
}

// Answers a call with a stream. `handler` is called as
// `asio::awaitable<absl::Status> handler(const Call&, StreamWriter<Response>&)`; its status ends the
// stream. A stream has no default deadline. Pass CallKind::kEndlessStream for one that only ends when the
// caller leaves or the server stops.
template <class Response, class Handler>
grpc::ServerWriteReactor<Response>* ServeStream(grpc::CallbackServerContext* context, Dispatcher& dispatcher,
                                                const char* method, Handler handler,
                                                CallKind kind = CallKind::kStream) {
  MethodMetrics& metrics = dispatcher.Metrics(method);
  auto* const reactor = new internal::StreamReactor<Response>(context);  // freed in OnDone
  if (const absl::Status admitted = dispatcher.Admit(kind); !admitted.ok()) {
    dispatcher.Count(metrics, admitted.code());
    reactor->Finish(ToGrpc(admitted));
    return reactor;
  }
  auto run = internal::MakeRun<absl::Status>(
      dispatcher, metrics, ReadCall(*context), kind,
      [reactor, handler = std::move(handler)](const Call& call) mutable {
        return handler(call, static_cast<StreamWriter<Response>&>(*reactor));
      },
      [reactor](const absl::Status& status, const absl::Status&) { reactor->Finish(ToGrpc(status)); });
  reactor->running = run;
  run->Start(/*watch_deadline=*/false);
  return reactor;
}

}  // namespace medidesk::rpc
