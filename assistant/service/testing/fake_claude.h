// The model's client: says what it is told to say. Thread-safe.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "assistant/claude/client.h"
#include "assistant/service/testing/fake_store.h"

namespace medidesk::assistant::testing {

class FakeClaude final : public claude::Client {
 public:
  // `pieces` are streamed one by one; joined they are the answer.
  void Say(std::vector<std::string> pieces) {
    const std::lock_guard lock(mutex_);
    pieces_ = std::move(pieces);
  }
  void Fail(absl::Status status) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(status);
  }
  std::atomic<bool> wait{false};  // no answer while set
  std::atomic<int> asked{0};
  std::atomic<int> told{0};  // pieces that were taken

  std::vector<claude::Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  asio::awaitable<absl::StatusOr<claude::Result>> Ask(claude::Request request, claude::Deadline deadline,
                                                      claude::StartWith) override {
    const claude::OnText nobody;
    co_return co_await Answer(std::move(request), deadline, nobody);
  }
  asio::awaitable<absl::StatusOr<claude::Result>> Stream(claude::Request request, claude::Deadline deadline,
                                                         claude::OnText on_text, claude::StartWith) override {
    co_return co_await Answer(std::move(request), deadline, on_text);
  }
  asio::awaitable<void> Probe() override { co_return; }

 private:
  asio::awaitable<absl::StatusOr<claude::Result>> Answer(claude::Request request, claude::Deadline deadline,
                                                         const claude::OnText& on_text) {
    std::vector<std::string> pieces;
    absl::Status failure;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(std::move(request));
      pieces = pieces_;
      failure = failure_;
    }
    ++asked;
    while (wait) {
      if (std::chrono::steady_clock::now() > deadline) {
        co_return Error(absl::StatusCode::kDeadlineExceeded, "no answer in time");
      }
      co_await Pause(std::chrono::milliseconds(2));
    }
    if (!failure.ok()) co_return failure;
    claude::Result result;
    result.model = "model-x";
    for (const std::string& piece : pieces) {
      if (on_text) {
        const absl::Status taken = co_await on_text(piece);
        if (!taken.ok()) co_return taken;
      }
      ++told;
      result.text += piece;
    }
    co_return result;
  }

  mutable std::mutex mutex_;
  std::vector<std::string> pieces_ = {"Visiting hours are 10 to 20."};
  absl::Status failure_;
  std::vector<claude::Request> requests_;
};

}  // namespace medidesk::assistant::testing
