// The handlers behind testing/echo.proto, and a loop to run coroutines of a test to their end.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/rpc/serve.h"
#include "base/rpc/testing/echo.grpc.pb.h"

namespace medidesk::rpc::testing {

class EchoServiceImpl final : public EchoService::CallbackService {
 public:
  explicit EchoServiceImpl(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  std::atomic<int> started{0};    // handlers that began
  std::atomic<int> cancelled{0};  // handlers whose wait was cancelled
  std::atomic<int> written{0};    // messages that Repeat handed over
  std::atomic<bool> gate{false};  // opens ACT_GATE

  asio::awaitable<absl::StatusOr<EchoResponse>> Echo(const Call& call, const EchoRequest& request) {
    ++started;
    EchoResponse response;
    response.set_text(request.text());
    switch (request.act()) {
      case ACT_WAIT:
        co_await Wait(std::chrono::hours(1));
        break;
      case ACT_GATE:
        while (!gate) co_await Wait(std::chrono::milliseconds(1));
        break;
      case ACT_FAIL:
        co_return WithReason(Error(absl::StatusCode::kFailedPrecondition, "told to fail"), "TOLD_TO",
                             {{"id", request.id()}});
      case ACT_THROW:
        throw std::runtime_error(request.text());
      case ACT_DESCRIBE:
        response.set_trace_id(call.trace.trace_id);
        response.set_left(call.Left().count());
        response.set_authorization(call.authorization.Expose());
        response.add_caller(call.caller.kind == Caller::Kind::kLocal         ? "local"
                            : call.caller.kind == Caller::Kind::kCertificate ? "certificate"
                                                                             : "unknown");
        for (const std::string& name : call.caller.names) response.add_caller(name);
        break;
      default:
        break;
    }
    co_return response;
  }

  asio::awaitable<absl::Status> Repeat(const Call&, const RepeatRequest& request,
                                       StreamWriter<RepeatResponse>& writer) {
    ++started;
    for (int number = 1; request.count() == 0 || number <= request.count(); ++number) {
      RepeatResponse response;
      response.set_text(request.text());
      response.set_number(number);
      if (!co_await writer.Write(std::move(response))) {
        ++cancelled;
        co_return Error(absl::StatusCode::kCancelled, "the reader is gone");
      }
      ++written;
    }
    if (request.fail()) co_return WithReason(Error(absl::StatusCode::kFailedPrecondition, "told to fail"), "TOLD_TO");
    co_return absl::OkStatus();
  }

  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context, const EchoRequest* request,
                                 EchoResponse* response) override {
    return ServeUnary(context, dispatcher_, "EchoService/Echo", response,
                      [this, request](const Call& call) { return Echo(call, *request); });
  }
  grpc::ServerWriteReactor<RepeatResponse>* Repeat(grpc::CallbackServerContext* context,
                                                   const RepeatRequest* request) override {
    const CallKind kind = request->count() == 0 ? CallKind::kEndlessStream : CallKind::kStream;
    return ServeStream<RepeatResponse>(
        context, dispatcher_, "EchoService/Repeat",
        [this, request](const Call& call, StreamWriter<RepeatResponse>& writer) {
          return Repeat(call, *request, writer);
        },
        kind);
  }

 private:
  asio::awaitable<void> Wait(std::chrono::milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    boost::system::error_code error;
    try {
      co_await timer.async_wait(asio::use_awaitable);
    } catch (const boost::system::system_error&) {
      ++cancelled;
      throw;
    }
  }

  Dispatcher& dispatcher_;
};

// An event loop on threads of its own. Tests share one: threads of gRPC that have just told the end of a
// call may still be leaving the loop when the test ends.
class Loop {
 public:
  static Loop& Shared() {
    static Loop* const loop = new Loop;
    return *loop;
  }

  explicit Loop(int threads = 2) : work_(io_.get_executor()) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { io_.run(); });
  }
  ~Loop() {
    work_.reset();
    io_.stop();
    for (std::thread& thread : threads_) thread.join();
  }

  asio::io_context::executor_type executor() { return io_.get_executor(); }

  template <class T>
  T Run(asio::awaitable<T> work) {
    return asio::co_spawn(io_, std::move(work), asio::use_future).get();
  }

 private:
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::vector<std::thread> threads_;
};

}  // namespace medidesk::rpc::testing
