#include "base/io_threads.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <thread>

namespace medidesk {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// Sends SIGTERM to this process as soon as somebody handles it.
std::thread TerminateWhenHandled() {
  std::signal(SIGTERM, SIG_IGN);
  return std::thread([] {
    struct sigaction current {};
    do {
      std::this_thread::yield();
      sigaction(SIGTERM, nullptr, &current);
    } while (current.sa_handler == SIG_IGN);
    kill(getpid(), SIGTERM);
  });
}

TEST(IoThreadsDeathTest, DrainsWhenTheProcessIsAskedToStop) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        std::thread asker = TerminateWhenHandled();
        IoThreads io(2);
        bool drained = false;
        io.RunUntilSignal(10s, [&]() -> asio::awaitable<void> {
          drained = true;
          co_return;
        });
        asker.join();
        io.Stop();
        std::_Exit(drained ? 7 : 8);
      },
      testing::ExitedWithCode(7), "stopping");
}

TEST(IoThreadsDeathTest, EndsAtOnceOnASecondSignal) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        std::thread asker = TerminateWhenHandled();
        IoThreads io(2);
        io.RunUntilSignal(60s, [&]() -> asio::awaitable<void> {
          kill(getpid(), SIGTERM);
          for (;;) std::this_thread::yield();
          co_return;
        });
        asker.join();
        std::_Exit(8);
      },
      testing::ExitedWithCode(130), "stopping");
}

}  // namespace
}  // namespace medidesk
