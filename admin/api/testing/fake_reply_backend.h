// ReplyBackend for tests: answers "You said: <text>", remembers calls, fails or waits on demand.
#pragma once

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <vector>

#include "admin/api/reply_backend.h"

namespace medidesk::admin {

class FakeReplyBackend final : public ReplyBackend {
 public:
  static constexpr const char* kConversation = "6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01";

  boost::asio::awaitable<absl::StatusOr<ReplyResult>> Reply(ReplyCall call) override {
    const std::string text = call.text.Expose();
    bool hang = false, fail_hard = false;
    std::optional<absl::Status> error;
    ReplyResult result{.conversation_id = kConversation,
                       .response = Phi<std::string>("You said: " + text),
                       .status = "active",
                       .message_id = call.message_id,
                       .duplicate = false};
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back(std::move(call));
      hang = hang_;
      fail_hard = throw_;
      error = error_;
      if (result_) result = *result_;
    }
    if (fail_hard) throw std::runtime_error("secret of the backend");
    if (hang) {
      boost::asio::steady_timer forever(co_await boost::asio::this_coro::executor,
                                        boost::asio::steady_timer::time_point::max());
      boost::system::error_code ended;
      co_await forever.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ended));
      ++cancelled_;
      co_return absl::CancelledError("cancelled");
    }
    if (error) co_return *error;
    co_return result;
  }

  void Fail(absl::Status status) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(status);
  }
  void Answer(ReplyResult result) {
    const std::lock_guard lock(mutex_);
    error_.reset();
    result_ = std::move(result);
  }
  // Until cancelled.
  void Hang() {
    const std::lock_guard lock(mutex_);
    hang_ = true;
  }
  void Throw() {
    const std::lock_guard lock(mutex_);
    throw_ = true;
  }
  int cancelled() const { return cancelled_; }
  std::vector<ReplyCall> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<ReplyCall> calls_;
  std::optional<absl::Status> error_;
  std::optional<ReplyResult> result_;
  bool hang_ = false, throw_ = false;
  std::atomic<int> cancelled_{0};
};

}  // namespace medidesk::admin
