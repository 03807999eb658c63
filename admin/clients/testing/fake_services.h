// The services that the admin calls, in one process, answering as they are told. Thread-safe.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/io_threads.h"
#include "base/rpc/serve.h"
#include "base/rpc/server.h"
#include "medidesk/assistant/v1/assistant.grpc.pb.h"
#include "medidesk/gateway/v1/gateway.grpc.pb.h"
#include "medidesk/store/v1/conversation.grpc.pb.h"

namespace medidesk::admin {

namespace asio = boost::asio;

namespace testing {

class FakeAssistant final : public assistant::v1::AssistantService::CallbackService {
 public:
  explicit FakeAssistant(rpc::Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  std::atomic<bool> hang{false};  // Reply never answers
  std::atomic<bool> up{true};     // PreviewContext
  std::atomic<int> calls{0};      // of Reply
  std::atomic<int> stopping{0};   // so many calls of Reply meet an instance that stops

  void Answer(assistant::v1::ReplyResponse response) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(response);
  }
  void Fail(absl::Status status) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(status);
  }
  assistant::v1::ReplyRequest last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  std::string trace_id() const {
    const std::lock_guard lock(mutex_);
    return trace_id_;
  }

  asio::awaitable<absl::StatusOr<assistant::v1::ReplyResponse>> Reply(const rpc::Call& call,
                                                                      const assistant::v1::ReplyRequest& request) {
    if (hang) {
      asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
      co_await timer.async_wait(asio::use_awaitable);
    }
    ++calls;
    if (stopping-- > 0) co_return Error(absl::StatusCode::kUnavailable, "the server is stopping: try again");
    const std::lock_guard lock(mutex_);
    last_ = request;
    trace_id_ = call.trace.trace_id;
    co_return answer_;
  }
  asio::awaitable<absl::StatusOr<assistant::v1::PreviewContextResponse>> PreviewContext() {
    if (!up) co_return Error(absl::StatusCode::kUnavailable, "the facts are not loaded yet");
    co_return assistant::v1::PreviewContextResponse();
  }

  grpc::ServerUnaryReactor* Reply(grpc::CallbackServerContext* context, const assistant::v1::ReplyRequest* request,
                                  assistant::v1::ReplyResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "AssistantService/Reply", response,
                           [this, request](const rpc::Call& call) { return Reply(call, *request); });
  }
  grpc::ServerUnaryReactor* PreviewContext(grpc::CallbackServerContext* context,
                                           const assistant::v1::PreviewContextRequest*,
                                           assistant::v1::PreviewContextResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "AssistantService/PreviewContext", response,
                           [this](const rpc::Call&) { return PreviewContext(); });
  }

 private:
  rpc::Dispatcher& dispatcher_;
  mutable std::mutex mutex_;
  absl::StatusOr<assistant::v1::ReplyResponse> answer_ = assistant::v1::ReplyResponse();
  assistant::v1::ReplyRequest last_;
  std::string trace_id_;
};

class FakeStore final : public store::v1::ConversationService::CallbackService {
 public:
  explicit FakeStore(rpc::Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  std::atomic<bool> up{true};  // the database answers
  std::atomic<int> asked{0};

  asio::awaitable<absl::StatusOr<store::v1::GetConversationResponse>> GetConversation() {
    ++asked;
    if (!up) co_return Error(absl::StatusCode::kUnavailable, "the database cannot be reached");
    co_return Error(absl::StatusCode::kNotFound, "no such conversation");
  }
  grpc::ServerUnaryReactor* GetConversation(grpc::CallbackServerContext* context,
                                            const store::v1::GetConversationRequest*,
                                            store::v1::GetConversationResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "ConversationService/GetConversation", response,
                           [this](const rpc::Call&) { return GetConversation(); });
  }

 private:
  rpc::Dispatcher& dispatcher_;
};

class FakeGateway final : public gateway::v1::GatewayService::CallbackService {
 public:
  explicit FakeGateway(rpc::Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  std::atomic<bool> up{false};
  std::atomic<bool> store_away{false};  // it says so itself

  void Have(gateway::v1::ListNumbersResponse numbers) {
    const std::lock_guard lock(mutex_);
    numbers_ = std::move(numbers);
  }

  asio::awaitable<absl::StatusOr<gateway::v1::ListNumbersResponse>> ListNumbers() {
    if (!up) co_return Error(absl::StatusCode::kUnavailable, "down");
    if (store_away) co_return rpc::WithReason(Error(absl::StatusCode::kUnavailable, "no store"), "STORE_UNAVAILABLE");
    const std::lock_guard lock(mutex_);
    co_return numbers_;
  }
  grpc::ServerUnaryReactor* ListNumbers(grpc::CallbackServerContext* context, const gateway::v1::ListNumbersRequest*,
                                        gateway::v1::ListNumbersResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "GatewayService/ListNumbers", response,
                           [this](const rpc::Call&) { return ListNumbers(); });
  }

 private:
  rpc::Dispatcher& dispatcher_;
  std::mutex mutex_;
  gateway::v1::ListNumbersResponse numbers_;  // under mutex_
};

struct FakeServices {
  FakeServices() {
    std::vector<grpc::Service*> services = {&assistant, &store, &gateway};
    auto started = rpc::Server::Start(dispatcher, std::move(services), {});
    if (!started.ok()) std::abort();
    server = *std::move(started);
  }
  ~FakeServices() { server->Shutdown(std::chrono::milliseconds(0)); }

  rpc::Channel channel() { return server->InProcessChannel(); }

  IoThreads io{2};
  prometheus::Registry registry;
  rpc::Dispatcher dispatcher{io.executor(), registry, {.service = "fake"}};
  FakeAssistant assistant{dispatcher};
  FakeStore store{dispatcher};
  FakeGateway gateway{dispatcher};
  std::unique_ptr<rpc::Server> server;
};

}  // namespace testing
}  // namespace medidesk::admin
