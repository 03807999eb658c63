#include "base/traced_executor.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace medidesk {
namespace {

namespace asio = boost::asio;

std::string Current() {
  const log::TraceId trace = log::CurrentTrace();
  return trace == nullptr ? "none" : *trace;
}

asio::awaitable<void> Inner(std::vector<std::string>& seen) {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
  co_await timer.async_wait(asio::use_awaitable);
  seen.push_back(Current());
}

asio::awaitable<void> Outer(std::vector<std::string>& seen) {
  seen.push_back(Current());
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  co_await Inner(seen);
  seen.push_back(Current());
}

TEST(TracedExecutor, FollowsACoroutineThroughEveryWait) {
  asio::io_context io;
  std::vector<std::string> a, b;
  asio::co_spawn(TracedExecutor(asio::make_strand(io), std::make_shared<std::string>("a")), Outer(a), asio::detached);
  asio::co_spawn(TracedExecutor(asio::make_strand(io), std::make_shared<std::string>("b")), Outer(b), asio::detached);
  io.run();
  EXPECT_THAT(a, ::testing::ElementsAre("a", "a", "a"));
  EXPECT_THAT(b, ::testing::ElementsAre("b", "b", "b"));
  EXPECT_EQ(Current(), "none");
}

TEST(TracedExecutor, StaysOnItsStrand) {
  asio::io_context io;
  const auto strand = asio::make_strand(io);
  bool inside = false;
  asio::post(TracedExecutor(strand, nullptr), [&] { inside = strand.running_in_this_thread(); });
  io.run();
  EXPECT_TRUE(inside);
}

}  // namespace
}  // namespace medidesk
