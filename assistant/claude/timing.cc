#include "assistant/claude/timing.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <random>

namespace medidesk::assistant::claude {

namespace asio = boost::asio;

Timing SystemTiming() {
  Timing timing;
  timing.now = [] { return Clock::now(); };
  timing.wall = [] { return std::chrono::system_clock::now(); };
  timing.random = [] {
    thread_local std::mt19937_64 engine{std::random_device{}()};
    return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
  };
  timing.sleep = [](Clock::duration duration) -> asio::awaitable<void> {
    asio::steady_timer timer(co_await asio::this_coro::executor, duration);
    co_await timer.async_wait(asio::use_awaitable);
  };
  return timing;
}

}  // namespace medidesk::assistant::claude
