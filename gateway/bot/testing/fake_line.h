// A number's line and its services for tests: keeps what was asked of it, answers as it is told.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "gateway/bot/bot_port.h"
#include "gateway/wa/messages/message_ids.h"

namespace medidesk::gateway::bot::testing {

namespace asio = boost::asio;

class FakeLine final : public Line {
 public:
  struct Ended {
    std::string stanza_id;
    PartEnd end;
    std::string failure;
  };

  asio::any_io_executor executor() override { return io.get_executor(); }
  std::shared_ptr<const void> Hold() override { return nullptr; }
  wa::Moment now() override {
    return {.steady = std::chrono::steady_clock::now() + skipped, .wall = std::chrono::system_clock::now() + skipped};
  }
  bool online() override { return is_online; }
  bool caught_up() override { return is_online && is_caught_up; }
  absl::Status Send(const wa::OutboundPart& part) override {
    sent.push_back(part);
    if (on_send) asio::post(io, [this, part] { on_send(part); });
    return absl::OkStatus();
  }
  void ShowTyping(const wa::Jid&, bool on) override { typing.push_back(on); }
  void MarkRead(const wa::Jid&, const std::vector<std::string>& ids) override {
    read.insert(read.end(), ids.begin(), ids.end());
  }
  asio::awaitable<absl::Status> EndPart(std::string stanza_id, PartEnd end, std::string failure) override {
    ended.push_back({std::move(stanza_id), end, std::move(failure)});
    co_return absl::OkStatus();
  }

  // Runs the loop until `done`, at most ten seconds.
  bool Until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      io.restart();
      io.run_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  // Runs what is ready.
  void Settle() {
    io.restart();
    io.poll();
  }

  asio::io_context io;
  bool is_online = true;
  bool is_caught_up = true;
  std::chrono::seconds skipped{0};
  std::function<void(const wa::OutboundPart&)> on_send;
  std::vector<wa::OutboundPart> sent;
  std::vector<Ended> ended;
  std::vector<bool> typing;
  std::vector<std::string> read;
};

class FakeBackend final : public Backend {
 public:
  explicit FakeBackend(FakeLine& line) : line_(line) {}

  struct Committed {
    std::string turn_id, text, source, task;
  };

  asio::awaitable<absl::StatusOr<Answer>> AskAssistant(const std::string& turn_id, std::chrono::milliseconds) override {
    asked.push_back(turn_id);
    while (held) {
      asio::steady_timer pause(line_.executor(), std::chrono::milliseconds(1));
      co_await pause.async_wait(asio::use_awaitable);
    }
    if (!failures.empty()) {
      const absl::Status failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    Answer answer;
    if (!silent) answer.reply = Reply{.id = ReplyIdOf(turn_id), .text = "answer to " + turn_id, .origin = Origin::kBot};
    co_return answer;
  }
  asio::awaitable<absl::StatusOr<Answer>> CommitReply(const std::string& turn_id, const std::string&,
                                                      const std::string& text, const std::string& source,
                                                      const std::string& task) override {
    committed.push_back({turn_id, text, source, task});
    Answer answer{.reply = Reply{.id = ReplyIdOf(turn_id), .text = text}};
    co_return answer;
  }
  asio::awaitable<absl::StatusOr<std::string>> RecipientOf(const std::string&) override {
    if (lost_recipients-- > 0) co_return Error(absl::StatusCode::kUnavailable, "the store is away");
    co_return recipient;
  }

  // A UUID that ends in the turn's digit.
  static std::string ReplyIdOf(const std::string& turn_id) {
    return "00000000-0000-7000-8000-00000000000" + turn_id.substr(turn_id.size() - 1);
  }

  bool held = false;
  bool silent = false;
  std::deque<absl::Status> failures;
  std::string recipient = "+15550001111";
  int lost_recipients = 0;  // how many times nobody can say it
  std::vector<std::string> asked;
  std::vector<Committed> committed;

 private:
  FakeLine& line_;
};

}  // namespace medidesk::gateway::bot::testing
