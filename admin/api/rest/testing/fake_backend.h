// Services for tests of /v1: they remember what they are asked and answer as told. Thread-safe.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "admin/api/rest/caller.h"
#include "admin/api/rest/rpc_backend.h"
#include "admin/api/rest/transcoder.h"

namespace medidesk::admin::rest {

class FakeBackend final : public RpcBackend {
 public:
  using Result = absl::StatusOr<MessagePtr>;

  // What the method answers from now on; an empty response until told.
  template <class Response>
  void Answer(const std::string& method, Response response) {
    const std::lock_guard lock(mutex_);
    answers_[method] = std::make_shared<Response>(std::move(response));
    errors_.erase(method);
  }
  void Fail(const std::string& method, absl::Status status) {
    const std::lock_guard lock(mutex_);
    errors_[method] = std::move(status);
  }
  // The messages of a stream, and how it ends.
  template <class Response>
  void AnswerStream(std::vector<Response> responses, absl::Status end = absl::OkStatus()) {
    const std::lock_guard lock(mutex_);
    stream_.clear();
    for (Response& response : responses) stream_.push_back(std::make_shared<Response>(std::move(response)));
    stream_end_ = std::move(end);
  }

  // The requests to a method, oldest first.
  template <class Request>
  std::vector<Request> Asked(const std::string& method) const {
    const std::lock_guard lock(mutex_);
    std::vector<Request> asked;
    for (const auto& [name, request] : calls_) {
      if (name == method) asked.push_back(dynamic_cast<const Request&>(*request));
    }
    return asked;
  }
  // The methods in the order they were called.
  std::vector<std::string> calls() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& call : calls_) names.push_back(call.first);
    return names;
  }
  CallContext last_context() const {
    const std::lock_guard lock(mutex_);
    return context_;
  }

  boost::asio::awaitable<Result> Call(const google::protobuf::MethodDescriptor& method, MessagePtr request,
                                      CallContext context) override {
    const std::lock_guard lock(mutex_);
    calls_.emplace_back(method.name(), std::move(request));
    context_ = std::move(context);
    if (const auto error = errors_.find(method.name()); error != errors_.end()) co_return error->second;
    MessagePtr response = NewMessage(*method.output_type());
    if (const auto answer = answers_.find(method.name()); answer != answers_.end()) response->CopyFrom(*answer->second);
    co_return response;
  }

  std::unique_ptr<MessageStream> Stream(const google::protobuf::MethodDescriptor& method, MessagePtr request,
                                        CallContext context) override {
    const std::lock_guard lock(mutex_);
    calls_.emplace_back(method.name(), std::move(request));
    context_ = std::move(context);
    return std::make_unique<Messages>(stream_, stream_end_);
  }

 private:
  using Shared = std::shared_ptr<google::protobuf::Message>;
  class Messages final : public MessageStream {
   public:
    Messages(std::deque<Shared> messages, absl::Status end) : messages_(std::move(messages)), end_(std::move(end)) {}
    boost::asio::awaitable<Result> Next() override {
      if (messages_.empty()) {
        if (!end_.ok()) co_return end_;
        co_return MessagePtr();
      }
      MessagePtr next(messages_.front()->New());
      next->CopyFrom(*messages_.front());
      messages_.pop_front();
      co_return next;
    }

   private:
    std::deque<Shared> messages_;
    const absl::Status end_;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Shared> answers_;
  std::map<std::string, absl::Status> errors_;
  std::deque<Shared> stream_;
  absl::Status stream_end_;
  std::vector<std::pair<std::string, MessagePtr>> calls_;
  CallContext context_;
};

// Knows the tokens "<scope>-token", each with its scope alone; the admin's opens everything.
class FakeTokens final : public TokenChecker {
 public:
  static constexpr const char* kId = "5d3a1c88-0f5e-4d0b-9e55-0f6d6f6c2b11";

  boost::asio::awaitable<absl::StatusOr<Checked>> Check(Phi<std::string> token, Scope scope) override {
    if (down) co_return Error(absl::StatusCode::kUnavailable, "the store is away");
    const std::string& secret = token.Expose();
    if (!secret.ends_with("-token")) co_return Error(absl::StatusCode::kUnauthenticated, "This token is not valid.");
    if (secret != "admin-token" && secret != std::string(ScopeName(scope)) + "-token") {
      co_return Error(absl::StatusCode::kPermissionDenied, "The token lacks the scope.");
    }
    co_return Checked{.principal = {.kind = store::v1::ACTOR_KIND_TOKEN, .id = kId}, .limited = limited};
  }

  bool down = false;
  std::optional<std::chrono::milliseconds> limited;
};

}  // namespace medidesk::admin::rest
