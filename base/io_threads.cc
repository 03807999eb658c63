#include "base/io_threads.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <future>

#include "base/log.h"

namespace medidesk {

namespace asio = boost::asio;

namespace {

// The other half is left to the database's threads here and to PostgreSQL, which often is a neighbour:
// on two cores a second thread of ours costs more wake-ups than it gains.
int ThreadsOrDefault(int threads) {
  return threads > 0 ? threads : std::clamp(static_cast<int>(std::thread::hardware_concurrency()) / 2, 1, 16);
}

}  // namespace

IoThreads::IoThreads(int threads) : io_(ThreadsOrDefault(threads)), work_(io_.get_executor()) {
  threads = ThreadsOrDefault(threads);
  std::signal(SIGPIPE, SIG_IGN);
  threads_.reserve(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { io_.run(); });
}

IoThreads::~IoThreads() { Stop(); }

void IoThreads::RunUntilSignal(std::chrono::milliseconds grace, std::function<asio::awaitable<void>()> drain) {
  asio::signal_set signals(io_, SIGINT, SIGTERM);
  std::promise<void> stopped;
  auto once_more = [](boost::system::error_code error, int) {
    if (!error) std::_Exit(130);
  };
  signals.async_wait([&](boost::system::error_code error, int number) {
    if (error) return;
    log::Info("stopping", {{"signal", number}, {"grace_ms", grace.count()}});
    signals.async_wait(once_more);
    stopped.set_value();
  });
  stopped.get_future().wait();

  std::future<void> drained = asio::co_spawn(io_, std::move(drain), asio::use_future);
  if (drained.wait_for(grace) == std::future_status::timeout) log::Warning("drain_cut_short");
  boost::system::error_code ignored;
  signals.cancel(ignored);
}

void IoThreads::Stop() {
  work_.reset();
  io_.stop();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace medidesk
