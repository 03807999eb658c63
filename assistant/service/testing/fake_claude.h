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
  // Calls this tool with `input` instead of answering.
  void Use(std::string tool, std::string input) {
    const std::lock_guard lock(mutex_);
    tool_ = std::move(tool);
    input_ = std::move(input);
  }
  // Does what the patient's text says: repeats what stands between « and », or tells its instructions
  // for «PROMPT». The worst model there is.
  std::atomic<bool> obeys{false};
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
    std::string tool, input;
    {
      const std::lock_guard lock(mutex_);
      if (obeys) {
        pieces = {Obeyed(request)};
      } else {
        pieces = pieces_;
      }
      requests_.push_back(std::move(request));
      failure = failure_;
      tool = tool_;
      input = input_;
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
    if (!tool.empty()) {
      result.tool_use.push_back({.id = "toolu_1", .name = tool, .input = *claude::RawJson::Parse(input), .raw = {}});
      result.stop_reason = "tool_use";
      co_return result;
    }
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

  static std::string Obeyed(const claude::Request& request) {
    const std::string text = claude::JoinedText(request.messages.back().content);
    const auto from = text.find("\u00ab"), to = text.rfind("\u00bb");
    if (from == std::string::npos || to == std::string::npos || to < from) return "Visiting hours are 10 to 20.";
    const std::string wanted = text.substr(from + 2, to - from - 2);
    if (wanted != "PROMPT") return wanted;
    std::string all;
    for (const claude::SystemBlock& block : request.system) all += block.text + "\n";
    return all.substr(0, 3000);
  }

  mutable std::mutex mutex_;
  std::string tool_, input_;
  std::vector<std::string> pieces_ = {"Visiting hours are 10 to 20."};
  absl::Status failure_;
  std::vector<claude::Request> requests_;
};

}  // namespace medidesk::assistant::testing
