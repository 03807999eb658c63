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
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"

#include "base/rpc/dispatcher.h"
#include "base/rpc/error_details.h"

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

// A handler whose answer has been set aside.
using Work = std::function<asio::awaitable<absl::Status>(const Call&)>;

// One call from its start on the strand to `finish`, which is called once, on the strand, when the handler has
// ended. The one place where handlers are spawned: a method costs the compiler a small coroutine, not
// an event loop's machinery.
class HandlerRun final : public RunningCall {
 public:
  using Finish = std::function<void(const absl::Status&)>;
  HandlerRun(Dispatcher& dispatcher, MethodMetrics& metrics, Call call, CallKind kind, Work work, Finish finish)
      : RunningCall(dispatcher, metrics, std::move(call), kind), work_(std::move(work)), finish_(std::move(finish)) {}

  void set_on_cancel(std::function<void(const absl::Status&)> on_cancel) { on_cancel_ = std::move(on_cancel); }
  void Start(bool watch_deadline);

 private:
  void Spawn();
  asio::awaitable<absl::Status> Guarded(const CallGuard& guard);
  void Ended(std::exception_ptr error, absl::Status status) { finish_(End(std::move(error), std::move(status))); }

  const Work work_;
  const Finish finish_;
};

// `deliver` hands the answer over; called at most once, when the call has ended well.
grpc::ServerUnaryReactor* StartUnary(grpc::CallbackServerContext* context, Dispatcher& dispatcher, const char* method,
                                     Work work, std::function<void()> deliver);

template <class Response>
asio::awaitable<absl::Status> SetAside(asio::awaitable<absl::StatusOr<Response>> handler,
                                       std::shared_ptr<Response> answer) {
  absl::StatusOr<Response> result = co_await std::move(handler);
  if (!result.ok()) co_return result.status();
  *answer = *std::move(result);
  co_return absl::OkStatus();
}

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
  // Not into *response: a caller that has given up no longer has it when the handler ends.
  auto answer = std::make_shared<Response>();
  return internal::StartUnary(
      context, dispatcher, method,
      [handler = std::move(handler), answer](const Call& call) { return internal::SetAside(handler(call), answer); },
      [response, answer] { *response = std::move(*answer); });
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
  auto run = std::make_shared<internal::HandlerRun>(
      dispatcher, metrics, ReadCall(*context), kind,
      [reactor, handler = std::move(handler)](const Call& call) {
        return handler(call, static_cast<StreamWriter<Response>&>(*reactor));
      },
      [reactor](const absl::Status& status) { reactor->Finish(ToGrpc(status)); });
  reactor->running = run;
  run->Start(/*watch_deadline=*/false);
  return reactor;
}

}  // namespace medidesk::rpc
