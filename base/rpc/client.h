// Calls another service from a coroutine, over gRPC or, when the service lives in this process,
// without it. The calling code is the same.
//
//   rpc::Client<store::v1::ConversationService> store(channel);
//   absl::StatusOr<AcceptResponse> accepted =
//       co_await store.Call(MD_METHOD(Accept), request, rpc::Continue(call, 2s));
//
//   auto facts = knowledge.Stream(MD_METHOD(Watch), request, options);
//   while (true) {
//     MD_ASSIGN_OR_CO_RETURN(std::optional<WatchResponse> next, co_await facts.Next());
//     if (!next) break;  // the server ended the stream with OK
//   }
//
// Request and options are taken over when Call() or Stream() is called. Cancelling the awaiting
// coroutine cancels the call: it completes at once with CANCELLED. The event loop outlives the calls. Errors are
// absl::Status with the details of error_details.h. A Client is cheap to copy and thread-safe; a StreamReader is
// neither.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"

#include "base/rpc/call.h"
#include "base/rpc/channel.h"
#include "base/rpc/error_details.h"
#include "base/rpc/local.h"

namespace medidesk::rpc {

namespace asio = boost::asio;

struct CallOptions {
  // time_point::max(): none for a stream, 30 s for a unary call.
  Call::Clock::time_point deadline = Call::Clock::time_point::max();
  TraceContext trace = {};  // empty: a fresh one
  Phi<std::string> authorization = {};
};

// A call made while answering `call`: its trace, and its deadline or `at_most` from now, whichever is
// sooner. The caller's authorization is not passed on.
CallOptions Continue(const Call& call, std::chrono::milliseconds at_most = std::chrono::hours(1));
// A call made on our own account, with a fresh trace.
CallOptions Within(std::chrono::milliseconds timeout);

namespace internal {

inline constexpr std::chrono::seconds kDefaultTimeout{30};

void Apply(const CallOptions& options, grpc::ClientContext& context);
Call LocalCallFrom(const CallOptions& options);
absl::Status ServerStopped();
absl::Status NotImplemented();

template <class RequestType, class ResponseType, class StubMethod, class ServiceMethod>
struct Method {
  using Request = RequestType;
  using Response = ResponseType;
  StubMethod stub;
  ServiceMethod service;
};

// The same method of the generated stub and of the generated service; one overload for each kind.
template <class Stub, class Service, class Request, class Response>
constexpr auto Bind(void (Stub::*stub)(grpc::ClientContext*, const Request*, Response*,
                                       std::function<void(grpc::Status)>),
                    grpc::ServerUnaryReactor* (Service::*service)(grpc::CallbackServerContext*, const Request*,
                                                                  Response*)) {
  return Method<Request, Response, decltype(stub), decltype(service)>{stub, service};
}
template <class Stub, class Service, class Request, class Response>
constexpr auto Bind(void (Stub::*stub)(grpc::ClientContext*, const Request*, grpc::ClientReadReactor<Response>*),
                    grpc::ServerWriteReactor<Response>* (Service::*service)(grpc::CallbackServerContext*,
                                                                            const Request*)) {
  return Method<Request, Response, decltype(stub), decltype(service)>{stub, service};
}

template <class Name, class Service>
using MethodOf = decltype(std::declval<Name>()(std::type_identity<Service>{}));

// Posts `handler(result)` to the executor of the coroutine that waits. Copyable, because gRPC's
// callbacks are std::functions; called once. Copies that gRPC's threads drop afterwards are empty: the
// coroutine, and the event loop with it, may be gone by then.
template <class Handler>
class Completion {
 public:
  explicit Completion(Handler handler) : state_(std::make_shared<State>(std::move(handler))) {}

  // Call before the operation starts.
  template <class Cancel>
  void OnCancel(Cancel cancel) {
    auto& slot = state_->slot;
    if (slot.is_connected()) slot.assign([cancel = std::move(cancel)](asio::cancellation_type) { cancel(); });
  }

  template <class Result>
  void operator()(Result result) const {
    State state = std::move(*state_);
    const auto executor = state.work.get_executor();
    asio::post(executor, [state = std::move(state), result = std::move(result)]() mutable {
      if (state.slot.is_connected()) state.slot.clear();
      std::move (*state.handler)(std::move(result));
    });
  }

 private:
  struct State {
    explicit State(Handler the_handler)
        : work(asio::make_work_guard(asio::get_associated_executor(the_handler))),
          slot(asio::get_associated_cancellation_slot(the_handler)),
          handler(std::make_unique<Handler>(std::move(the_handler))) {}

    asio::executor_work_guard<asio::associated_executor_t<Handler>> work;
    asio::associated_cancellation_slot_t<Handler> slot;
    std::unique_ptr<Handler> handler;
  };
  std::shared_ptr<State> state_;
};

template <class Request, class Response>
struct RemoteUnary {
  grpc::ClientContext context;
  Request request;
  Response response;
};

template <class Request, class Response>
struct LocalUnary {
  LocalContext context;
  Request request;
  Response response;
};

// Kept alive by gRPC until OnDone and by its StreamReader.
template <class Response>
class StreamCall final : public grpc::ClientReadReactor<Response>,
                         public std::enable_shared_from_this<StreamCall<Response>> {
 public:
  using Result = absl::StatusOr<std::optional<Response>>;

  grpc::ClientContext context;

  template <class StartOnStub>
  void Start(StartOnStub start) {
    self_ = this->shared_from_this();
    start(static_cast<grpc::ClientReadReactor<Response>*>(this));
    this->AddHold();  // reads start outside of reactions
    this->StartCall();
  }

  template <class Handler>
  void Next(Handler handler) {
    Completion<Handler> completion(std::move(handler));
    completion.OnCancel([self = this->shared_from_this()] { self->context.TryCancel(); });
    std::unique_lock lock(mutex_);
    if (held_) {
      waiting_ = completion;
      lock.unlock();
      this->StartRead(&message_);
    } else {  // ended: say so again
      lock.unlock();
      completion(End());
    }
  }

  // The reader goes away.
  void Abandon() {
    context.TryCancel();
    if (Release()) this->RemoveHold();
  }

 private:
  bool Release() {
    std::lock_guard lock(mutex_);
    return std::exchange(held_, false);
  }
  Result End() const {
    if (!status_.ok()) return FromGrpc(status_);
    return std::optional<Response>();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {  // OnDone follows and brings the status
      if (Release()) this->RemoveHold();
      return;
    }
    std::exchange(waiting_, nullptr)(std::optional<Response>(std::move(message_)));
  }
  void OnDone(const grpc::Status& status) override {
    const auto self = std::move(self_);
    status_ = status;
    if (auto waiting = std::exchange(waiting_, nullptr)) waiting(End());
  }

  std::shared_ptr<StreamCall> self_;
  std::mutex mutex_;
  bool held_ = true;                     // under mutex_; false: no read may be started any more
  std::function<void(Result)> waiting_;  // set before StartRead, taken by the reaction that answers it
  Response message_;
  grpc::Status status_;  // set in OnDone, before the last waiting_ is answered
};

}  // namespace internal

// One open server stream. Destroying it cancels the call.
template <class Response>
class StreamReader {
 public:
  explicit StreamReader(std::shared_ptr<internal::StreamCall<Response>> call) : call_(std::move(call)) {}
  StreamReader(StreamReader&&) = default;
  StreamReader& operator=(StreamReader&& other) {
    std::swap(call_, other.call_);
    return *this;
  }
  ~StreamReader() {
    if (call_) call_->Abandon();
  }

  // The next message; nullopt when the server ended the stream with OK; else why it ended. After
  // the end it answers the same again. One Next at a time.
  asio::awaitable<absl::StatusOr<std::optional<Response>>> Next() {
    return asio::async_initiate<const asio::use_awaitable_t<>, void(absl::StatusOr<std::optional<Response>>)>(
        [](auto handler, std::shared_ptr<internal::StreamCall<Response>> call) { call->Next(std::move(handler)); },
        asio::use_awaitable, call_);
  }

 private:
  std::shared_ptr<internal::StreamCall<Response>> call_;
};

// `Service` is the generated class, for example store::v1::ConversationService.
template <class Service>
class Client {
 public:
  explicit Client(const Channel& channel)
      : local_(channel.local == nullptr ? nullptr : channel.local->template Find<typename Service::CallbackService>()),
        services_(channel.local),
        stub_(channel.remote == nullptr ? nullptr : Service::NewStub(channel.remote)) {}

  // A unary call. `name` is MD_METHOD(Method).
  template <class Name>
  asio::awaitable<absl::StatusOr<typename internal::MethodOf<Name, Service>::Response>> Call(
      Name name, typename internal::MethodOf<Name, Service>::Request request, const CallOptions& options) const {
    const auto method = name(std::type_identity<Service>{});
    return local_ != nullptr ? CallLocal(method, std::move(request), options)
                             : CallRemote(method, std::move(request), options);
  }

  // Opens a server stream; over gRPC also inside the process.
  template <class Name>
  StreamReader<typename internal::MethodOf<Name, Service>::Response> Stream(
      Name name, const typename internal::MethodOf<Name, Service>::Request& request, const CallOptions& options) const {
    using Response = typename internal::MethodOf<Name, Service>::Response;
    const auto method = name(std::type_identity<Service>{});
    auto call = std::make_shared<internal::StreamCall<Response>>();
    internal::Apply(options, call->context);
    call->Start([&](grpc::ClientReadReactor<Response>* reactor) {
      (stub_->async()->*method.stub)(&call->context, &request, reactor);
    });
    return StreamReader<Response>(std::move(call));
  }

 private:
  template <class Method, class Request>
  asio::awaitable<absl::StatusOr<typename Method::Response>> CallRemote(Method method, Request request,
                                                                        const CallOptions& options) const {
    using Response = typename Method::Response;
    using Result = absl::StatusOr<Response>;
    auto call = std::make_shared<internal::RemoteUnary<Request, Response>>();
    call->request = std::move(request);
    internal::Apply(options, call->context);
    if (options.deadline == rpc::Call::Clock::time_point::max()) {
      call->context.set_deadline(rpc::Call::Clock::now() + internal::kDefaultTimeout);
    }
    return asio::async_initiate<const asio::use_awaitable_t<>, void(Result)>(
        [method](auto handler, auto call, std::shared_ptr<typename Service::Stub> stub) {
          internal::Completion<decltype(handler)> completion(std::move(handler));
          completion.OnCancel([call] { call->context.TryCancel(); });
          (stub->async()->*method.stub)(
              &call->context, &call->request, &call->response, [call, completion](grpc::Status status) {
                completion(status.ok() ? Result(std::move(call->response)) : Result(FromGrpc(status)));
              });
        },
        asio::use_awaitable, std::move(call), stub_);
  }

  template <class Method, class Request>
  asio::awaitable<absl::StatusOr<typename Method::Response>> CallLocal(Method method, Request request,
                                                                       const CallOptions& options) const {
    using Response = typename Method::Response;
    using Result = absl::StatusOr<Response>;
    auto call = std::make_shared<internal::LocalUnary<Request, Response>>();
    call->request = std::move(request);
    call->context.self = call;
    call->context.call = internal::LocalCallFrom(options);
    return asio::async_initiate<const asio::use_awaitable_t<>, void(Result)>(
        [method](auto handler, auto call, typename Service::CallbackService* service,
                 std::shared_ptr<const LocalServices> services) {
          internal::Completion<decltype(handler)> completion(std::move(handler));
          completion.OnCancel([call] {
            if (const auto running = call->context.running.lock()) running->Cancel(absl::StatusCode::kCancelled);
          });
          call->context.done = [call = call.get(), completion](absl::Status status) {
            completion(status.ok() ? Result(std::move(call->response)) : Result(std::move(status)));
          };
          if (!services->open) return call->context.Finish(internal::ServerStopped());
          (service->*method.service)(&call->context, &call->request, &call->response);
          if (!call->context.answered) call->context.Finish(internal::NotImplemented());
        },
        asio::use_awaitable, std::move(call), local_, services_);
  }

  typename Service::CallbackService* local_;
  std::shared_ptr<const LocalServices> services_;
  std::shared_ptr<typename Service::Stub> stub_;
};

// Names a method of the client's service: MD_METHOD(Accept).
#define MD_METHOD(name)                                                                        \
  [](auto service_tag) {                                                                       \
    using ServiceType = typename decltype(service_tag)::type;                                  \
    return ::medidesk::rpc::internal::Bind(&ServiceType::StubInterface::async_interface::name, \
                                           &ServiceType::CallbackService::name);               \
  }

}  // namespace medidesk::rpc
