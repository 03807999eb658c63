// Clocks, randomness and sleep as values, so that tests of retries take no time.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>

namespace medidesk::assistant::claude {

using Clock = std::chrono::steady_clock;
// A point on the caller's monotonic clock; nothing goes on after it.
using Deadline = Clock::time_point;

// Every function may be called from several threads.
struct Timing {
  std::function<Clock::time_point()> now;
  std::function<std::chrono::system_clock::time_point()> wall;
  std::function<double()> random;  // uniform in [0, 1)
  std::function<boost::asio::awaitable<void>(Clock::duration)> sleep;
};

// The real ones; sleep is cancellable and runs on the awaiting coroutine's executor.
Timing SystemTiming();

}  // namespace medidesk::assistant::claude
