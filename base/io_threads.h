// One event loop and the threads that run it; the place of a process's coroutines.
//
// Run() blocks until SIGINT or SIGTERM, calls `drain` on the loop, waits for it at most `grace`,
// then stops the loop. A second signal during the drain ends the process at once.
//
// An exception that escapes a handler is a broken invariant: it ends the process.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace medidesk {

class IoThreads {
 public:
  // 0: one thread for two cores, 1 to 16.
  explicit IoThreads(int threads);
  ~IoThreads();
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  boost::asio::io_context::executor_type executor() { return io_.get_executor(); }

  // Waits for a stop signal and then drains; see above. Call once, from the main thread.
  void RunUntilSignal(std::chrono::milliseconds grace, std::function<boost::asio::awaitable<void>()> drain);

  // Stops the loop and joins its threads. Idempotent.
  void Stop();

 private:
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::vector<std::thread> threads_;
};

}  // namespace medidesk
