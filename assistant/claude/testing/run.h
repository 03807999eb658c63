// Runs one coroutine to its end on an io_context, with a guard against hanging.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "assistant/claude/timing.h"

namespace medidesk::assistant::claude::testing {

template <class T>
T Await(boost::asio::io_context& io, boost::asio::awaitable<T> work) {
  std::optional<T> out;
  boost::asio::co_spawn(io, std::move(work), [&](std::exception_ptr error, T value) {
    if (error) std::rethrow_exception(error);
    out.emplace(std::move(value));
    io.stop();
  });
  io.restart();
  io.run_for(std::chrono::seconds(60));
  if (!out) {
    ADD_FAILURE() << "the coroutine did not end";
    std::abort();
  }
  return *std::move(out);
}

inline void Await(boost::asio::io_context& io, boost::asio::awaitable<void> work) {
  bool done = false;
  boost::asio::co_spawn(io, std::move(work), [&](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
    done = true;
    io.stop();
  });
  io.restart();
  io.run_for(std::chrono::seconds(60));
  if (!done) {
    ADD_FAILURE() << "the coroutine did not end";
    std::abort();
  }
}

// Runs the loop until `condition` holds.
template <class Condition>
void RunUntil(boost::asio::io_context& io, Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  io.restart();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      ADD_FAILURE() << "the condition never held";
      std::abort();
    }
    if (io.run_one_for(std::chrono::milliseconds(100)) == 0) io.restart();
  }
}

// A clock that sleeping moves at once. It runs beside the real one, so that real timeouts count.
struct FakeTime {
  Clock::duration slept{};
  std::vector<std::chrono::milliseconds> sleeps;
  std::chrono::system_clock::time_point wall = std::chrono::system_clock::from_time_t(1'795'000'000);
  double random = 0;

  Timing Make() {
    Timing timing;
    timing.now = [this] { return Clock::now() + slept; };
    timing.wall = [this] { return wall; };
    timing.random = [this] { return random; };
    timing.sleep = [this](Clock::duration duration) -> boost::asio::awaitable<void> {
      slept += duration;
      sleeps.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(duration));
      co_return;
    };
    return timing;
  }
};

}  // namespace medidesk::assistant::claude::testing
