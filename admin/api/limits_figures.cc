// limits_figures [SECONDS]: what the limits of the webhook do under 10,000 callers and a flooder, in real time.
//
// Each of 10,000 phone numbers, from an address of its own, sends one message a second; one more, from one
// more address, sends 5,000. Prints one JSON object: who was let through, and the process's memory at the
// start, at its highest and at the end.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "admin/api/health.h"
#include "admin/api/webhook.h"
#include "base/log.h"

namespace medidesk::admin {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCallers = 10'000;
constexpr int kFlood = 5'000;  // messages a second

class Backend final : public ReplyBackend {
 public:
  boost::asio::awaitable<absl::StatusOr<ReplyResult>> Reply(ReplyCall) override {
    co_return ReplyResult{.conversation_id = "6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01",
                          .response = Phi<std::string>("ok"),
                          .status = "active",
                          .message_id = {},
                          .duplicate = false};
  }
};

class Figures {
 public:
  Figures() : credentials_(Open()), webhook_(*credentials_, backend_, {}) {}

  // The code of one message's answer.
  int Post(int caller) {
    http::Request request;
    request.method = "POST";
    request.target = "/whatsapp-webhook";
    request.peer = boost::asio::ip::make_address_v4(0x0a000000u + static_cast<unsigned>(caller));
    request.body = fmt::format(R"({{"phone":"+1555{:07}","message":"Hello"}})", caller);
    int status = 0;
    const auto run = [&]() -> boost::asio::awaitable<void> { status = (co_await webhook_.Post(request)).status; };
    boost::asio::co_spawn(io_, run(), boost::asio::detached);
    io_.restart();
    io_.run();
    return status;
  }

 private:
  static std::unique_ptr<WebhookCredentials> Open() {
    auto made = WebhookCredentials::Create({.webhook_open = true});
    if (!made.ok()) std::abort();
    return *std::move(made);
  }

  Backend backend_;
  std::unique_ptr<WebhookCredentials> credentials_;
  Webhook webhook_;
  boost::asio::io_context io_{1};
};

void Run(int seconds) {
  Figures figures;
  for (int caller = 0; caller <= kCallers; ++caller) figures.Post(caller);  // everybody has been seen once
  const std::int64_t memory_start = ResidentBytes();
  std::int64_t memory_most = memory_start, fair_sent = 0, fair_refused = 0, flood_sent = 0, flood_allowed = 0;
  Clock::duration busy{};
  const Clock::time_point begin = Clock::now();
  for (int second = 0; second < seconds; ++second) {
    std::this_thread::sleep_until(begin + std::chrono::seconds(second));
    const Clock::time_point start = Clock::now();
    for (int caller = 0; caller < kCallers; ++caller) {
      ++fair_sent;
      fair_refused += figures.Post(caller) == 429;
      if (caller % (kCallers / kFlood) == 0) {
        ++flood_sent;
        flood_allowed += figures.Post(kCallers) == 200;
      }
    }
    busy += Clock::now() - start;
    memory_most = std::max(memory_most, ResidentBytes());
  }
  const double took = std::chrono::duration<double>(Clock::now() - begin).count();
  fmt::print(R"({{"seconds":{:.1f},"callers":{},"fair_sent":{},"fair_refused":{},"flood_sent":{},"flood_allowed":{},)"
             R"("memory_start_bytes":{},"memory_most_bytes":{},"memory_end_bytes":{},"microseconds_a_message":{:.2f}}})"
             "\n",
             took, kCallers, fair_sent, fair_refused, flood_sent, flood_allowed, memory_start, memory_most,
             ResidentBytes(),
             std::chrono::duration<double, std::micro>(busy).count() / static_cast<double>(fair_sent + flood_sent));
}

}  // namespace
}  // namespace medidesk::admin

int main(int argc, char** argv) {
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 60;
  if (argc > 2 || seconds < 1) {
    std::fprintf(stderr, "usage: limits_figures [SECONDS]\n");
    return 2;
  }
  if (!medidesk::log::Configure("error", "text").ok()) return 2;  // a line for each of a million answers is no help
  medidesk::admin::Run(seconds);
}
