#include "assistant/claude/connection_pool.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "assistant/claude/base_url.h"
#include "assistant/claude/testing/run.h"
#include "assistant/claude/testing/scripted_peer.h"

namespace medidesk::assistant::claude::testing {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::seconds;

class ConnectionPoolTest : public ::testing::Test {
 protected:
  struct Got {
    int status = 0;
    std::string body;
  };

  ConnectionPool& pool() {
    if (pool_ == nullptr) {
      options_.origin = ParseBaseUrl(peer_.base_url()).value();
      options_.now = [this] { return Clock::now() + passed_; };
      pool_ = ConnectionPool::Make(io_.get_executor(), options_).value();
    }
    return *pool_;
  }

  asio::awaitable<absl::StatusOr<Got>> Exchange(milliseconds limit = seconds(30)) {
    ConnectionPool& pool = this->pool();
    const Deadline deadline = options_.now() + limit;
    HttpRequest request;
    request.method = "POST";
    request.target = "/x";
    request.body = "{}";
    absl::StatusOr<ConnectionPool::Answer> answer = co_await pool.Send(std::move(request), deadline);
    if (!answer.ok()) co_return std::move(answer).status();
    Got got;
    got.status = answer->head.status;
    absl::StatusOr<std::string> body = co_await answer->ReadAll(deadline);
    if (!body.ok()) co_return std::move(body).status();
    got.body = *std::move(body);
    co_return got;
  }
  absl::StatusOr<Got> Get(milliseconds limit = seconds(30)) { return Await(io_, Exchange(limit)); }

  // An exchange beside the others; `cancel` ends it from outside.
  struct Background {
    asio::cancellation_signal cancel;
    std::optional<absl::StatusOr<Got>> result;
    bool started = false, ended = false;
  };
  std::shared_ptr<Background> Start(milliseconds limit = seconds(30)) {
    auto background = std::make_shared<Background>();
    started_.push_back(background);
    auto ended = [background](std::exception_ptr error, absl::StatusOr<Got> got) {
      background->ended = true;
      if (!error) background->result = std::move(got);
    };
    // A coroutine cancelled before its first step throws out of the loop (Asio's co_spawn), so that
    // tests wait for the start.
    auto body = [this, background, limit]() -> asio::awaitable<absl::StatusOr<Got>> {
      background->started = true;
      return Exchange(limit);
    };
    asio::co_spawn(io_, std::move(body), asio::bind_cancellation_slot(background->cancel.slot(), std::move(ended)));
    return background;
  }

  // Asio hands a cancellation on through the loop: a signal must outlive its call.
  std::vector<std::shared_ptr<Background>> started_;

  static PeerReply Ok(std::string_view body = "{}") { return JsonReply(200, body); }

  asio::io_context io_{1};
  ScriptedPeer peer_{io_};
  ConnectionPool::Options options_;
  Clock::duration passed_{};
  std::unique_ptr<ConnectionPool> pool_;
};

TEST_F(ConnectionPoolTest, KeepsAConnectionWhoseAnswerWasReadToItsEnd) {
  for (int i = 0; i < 3; ++i) {
    peer_.Enqueue(Ok("[1]"));
    const auto got = Get();
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->body, "[1]");
  }
  EXPECT_EQ(peer_.connections(), 1);
  EXPECT_EQ(pool().stats().idle, 1u);
  EXPECT_EQ(pool().stats().in_use, 0u);
}

TEST_F(ConnectionPoolTest, SendsOneWellFormedRequest) {
  peer_.Enqueue(Ok());
  ASSERT_TRUE(Get().ok());
  const auto& seen = peer_.requests().at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/x");
  EXPECT_EQ(seen.body, "{}");
  EXPECT_EQ("http://" + std::string(seen.headers.Find("host")), peer_.base_url());
}

TEST_F(ConnectionPoolTest, ReplacesAStaleConnectionAtOnce) {
  PeerReply closes = Ok();
  closes.after = PeerReply::After::kClose;
  peer_.Enqueue(closes);
  peer_.Enqueue(Ok());
  ASSERT_TRUE(Get().ok());
  EXPECT_TRUE(Get().ok());
  EXPECT_EQ(peer_.connections(), 2);
}

TEST_F(ConnectionPoolTest, ReconnectsOnceWhenAReusedConnectionDiesUnderTheRequest) {
  peer_.Enqueue(Ok());
  ASSERT_TRUE(Get().ok());
  peer_.Enqueue(CloseWithoutAByte());
  peer_.Enqueue(Ok());
  EXPECT_TRUE(Get().ok());
  EXPECT_EQ(peer_.requests().size(), 3u);

  peer_.Enqueue(CloseWithoutAByte());
  peer_.Enqueue(CloseWithoutAByte());
  peer_.Enqueue(Ok());
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ConnectionPoolTest, DoesNotRepeatARequestOnAFreshConnection) {
  PeerReply reset;
  reset.after = PeerReply::After::kReset;
  peer_.Enqueue(reset);
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(peer_.requests().size(), 1u);
  EXPECT_EQ(pool().stats().in_use, 0u);
}

TEST_F(ConnectionPoolTest, DoesNotRepeatWhatWasAlreadyAnsweredInPart) {
  peer_.Enqueue(Ok());
  ASSERT_TRUE(Get().ok());
  PeerReply part;
  part.pieces = {"HTTP/1.1 200 OK\r\ncontent-le"};
  part.after = PeerReply::After::kClose;
  peer_.Enqueue(part);
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(peer_.requests().size(), 2u);
}

TEST_F(ConnectionPoolTest, DropsAConnectionWhoseBodyIsCut) {
  PeerReply cut;
  cut.pieces = {"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345"};
  cut.after = PeerReply::After::kClose;
  peer_.Enqueue(cut);
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(pool().stats().idle, 0u);
}

TEST_F(ConnectionPoolTest, DropsAConnectionThatTheServerWantsClosed) {
  peer_.Enqueue(JsonReply(200, "{}", {{"connection", "close"}}));
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(pool().stats().idle, 0u);
}

TEST_F(ConnectionPoolTest, DropsAConnectionWithBytesNobodyAskedFor) {
  PeerReply chatty = Ok();
  chatty.pieces[0] += "HTTP/1.1 200 OK\r\n\r\n";
  peer_.Enqueue(chatty);
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(pool().stats().idle, 0u);
}

TEST_F(ConnectionPoolTest, DropsAConnectionThatWasIdleForLong) {
  peer_.Enqueue(Ok());
  peer_.Enqueue(Ok());
  ASSERT_TRUE(Get().ok());
  passed_ += options_.keep_idle;
  ASSERT_TRUE(Get().ok());
  EXPECT_EQ(peer_.connections(), 2);
}

TEST_F(ConnectionPoolTest, SkipsInterimAnswersUpToABound) {
  PeerReply early;
  early.pieces = {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
                  "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"};
  peer_.Enqueue(early);
  EXPECT_EQ(Get().value().body, "ok");
  PeerReply endless;
  for (int i = 0; i < 10; ++i) endless.pieces.push_back("HTTP/1.1 100 Continue\r\n\r\n");
  peer_.Enqueue(endless);
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kInternal);
}

TEST_F(ConnectionPoolTest, RefusesWhatIsNotHttpOrTooLarge) {
  options_.max_body = 1000;
  const auto answer = [&](std::string bytes) {
    PeerReply reply;
    reply.pieces = {std::move(bytes)};
    peer_.Enqueue(std::move(reply));
    const auto code = Get().status().code();
    EXPECT_EQ(pool().stats().idle, 0u);
    return code;
  };
  EXPECT_EQ(answer("SSH-2.0-OpenSSH_9.2\r\n"), absl::StatusCode::kInternal);
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nx: " + std::string(100'000, 'x')), absl::StatusCode::kInternal);
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n"), absl::StatusCode::kInternal);
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n"), absl::StatusCode::kInternal);
  EXPECT_EQ(
      answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n"),
      absl::StatusCode::kInternal);
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"), absl::StatusCode::kInternal);
}

// --- time

TEST_F(ConnectionPoolTest, GivesUpWaitingForTheFirstByte) {
  options_.first_byte_timeout = milliseconds(30);
  peer_.Enqueue(Stall());
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(peer_.requests().size(), 1u);
  EXPECT_EQ(pool().stats().in_use, 0u);
  EXPECT_EQ(pool().stats().idle, 0u);
  RunUntil(io_, [&] { return peer_.closed() == 1; });
}

TEST_F(ConnectionPoolTest, GivesUpOnASilentBody) {
  options_.silence_timeout = milliseconds(30);
  PeerReply half;
  half.pieces = {"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345"};
  half.after = PeerReply::After::kStall;
  peer_.Enqueue(half);
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(ConnectionPoolTest, EndsAtTheCallersDeadline) {
  peer_.Enqueue(Stall());
  EXPECT_EQ(Get(milliseconds(30)).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Get(milliseconds(0)).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Get(milliseconds(-5000)).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(ConnectionPoolTest, SaysSoWhenNobodyListens) {
  std::string url;
  {
    const ScriptedPeer gone(io_);
    url = gone.base_url();
  }
  io_.restart();
  io_.poll();
  options_.origin = ParseBaseUrl(url).value();
  pool_ = ConnectionPool::Make(io_.get_executor(), options_).value();
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(pool().stats().in_use, 0u);
}

TEST_F(ConnectionPoolTest, ResolvesANameAndTriesItsAddresses) {
  options_.origin = ParseBaseUrl(peer_.base_url("localhost")).value();
  pool_ = ConnectionPool::Make(io_.get_executor(), options_).value();
  peer_.Enqueue(Ok());
  EXPECT_TRUE(Get().ok());
}

// --- bounds

TEST_F(ConnectionPoolTest, BoundsConnectionsAndWaiters) {
  options_.max_connections = 2;
  options_.max_waiting = 1;
  const auto first = Start(), second = Start();
  RunUntil(io_, [&] { return peer_.requests().size() == 2; });
  const auto third = Start();
  RunUntil(io_, [&] { return pool().stats().waiting == 1; });
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(pool().stats().in_use, 2u);
  EXPECT_EQ(peer_.connections(), 2);

  peer_.Enqueue(Ok("3"));
  first->cancel.emit(asio::cancellation_type::all);
  RunUntil(io_, [&] { return third->ended; });
  EXPECT_EQ(third->result->value().body, "3");
}

TEST_F(ConnectionPoolTest, ServesWaitersInOrder) {
  options_.max_connections = 1;
  const auto first = Start();
  RunUntil(io_, [&] { return peer_.requests().size() == 1; });
  std::vector<std::shared_ptr<Background>> waiters;
  for (int i = 0; i < 5; ++i) {
    waiters.push_back(Start());
    RunUntil(io_, [&] { return pool().stats().waiting == waiters.size(); });
  }
  for (int i = 0; i < 5; ++i) peer_.Enqueue(Ok(std::to_string(i)));
  first->cancel.emit(asio::cancellation_type::all);
  RunUntil(io_, [&] { return waiters.back()->ended; });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(waiters[i]->result->value().body, std::to_string(i));
  EXPECT_EQ(peer_.connections(), 2);
  EXPECT_EQ(pool().stats().in_use, 0u);
}

TEST_F(ConnectionPoolTest, LetsAWaiterGoAtItsDeadline) {
  options_.max_connections = 1;
  const auto first = Start();
  RunUntil(io_, [&] { return peer_.requests().size() == 1; });
  EXPECT_EQ(Get(milliseconds(20)).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(pool().stats().waiting, 0u);
}

// --- cancellation

TEST_F(ConnectionPoolTest, FreesItsSlotWhenCancelledInMidRequest) {
  const auto call = Start();
  RunUntil(io_, [&] { return peer_.requests().size() == 1; });
  call->cancel.emit(asio::cancellation_type::all);
  RunUntil(io_, [&] { return call->ended && peer_.closed() == 1; });
  EXPECT_EQ(pool().stats().in_use, 0u);
  EXPECT_EQ(pool().stats().idle, 0u);
}

TEST_F(ConnectionPoolTest, FreesItsSlotWhenCancelledInMidBody) {
  PeerReply half;
  half.pieces = {"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345"};
  half.after = PeerReply::After::kStall;
  peer_.Enqueue(half);
  const auto call = Start();
  RunUntil(io_, [&] { return peer_.requests().size() == 1; });
  io_.run_for(milliseconds(5));
  call->cancel.emit(asio::cancellation_type::all);
  RunUntil(io_, [&] { return call->ended && peer_.closed() == 1; });
  EXPECT_EQ(pool().stats().in_use, 0u);
}

TEST_F(ConnectionPoolTest, PassesTheSlotOnWhenAWaiterIsCancelled) {
  options_.max_connections = 1;
  const auto first = Start();
  RunUntil(io_, [&] { return peer_.requests().size() == 1; });
  const auto second = Start(), third = Start();
  RunUntil(io_, [&] { return pool().stats().waiting == 2; });
  peer_.Enqueue(Ok("third"));
  // Both at once: the slot may already have been granted to the second when it is cancelled.
  first->cancel.emit(asio::cancellation_type::all);
  second->cancel.emit(asio::cancellation_type::all);
  RunUntil(io_, [&] { return second->ended && third->ended; });
  EXPECT_EQ(third->result->value().body, "third");
  EXPECT_EQ(pool().stats().in_use, 0u);
  EXPECT_EQ(pool().stats().waiting, 0u);
}

TEST_F(ConnectionPoolTest, LosesNoSlotWhereverACallIsCancelled) {
  // Cancels after 0, 1, 2 ... handlers, so that every suspension point is hit.
  options_.max_connections = 1;
  for (int steps = 0; steps < 40; ++steps) {
    peer_.Enqueue(JsonReply(200, std::string(3000, 'x')));
    const auto call = Start();
    RunUntil(io_, [&] { return call->started; });
    io_.restart();
    for (int i = 0; i < steps; ++i) io_.poll_one();
    call->cancel.emit(asio::cancellation_type::terminal);
    RunUntil(io_, [&] { return call->ended; });
    ASSERT_EQ(pool().stats().in_use, 0u) << "after " << steps << " steps";
    ASSERT_EQ(pool().stats().waiting, 0u);
  }
}

TEST_F(ConnectionPoolTest, MayBeDestroyedWhileCallsAreUnderWay) {
  const auto call = Start();
  RunUntil(io_, [&] { return peer_.requests().size() == 1; });
  pool_.reset();
  call->cancel.emit(asio::cancellation_type::all);
  RunUntil(io_, [&] { return call->ended; });
}

TEST_F(ConnectionPoolTest, IsLeftBehindByAStoppedLoop) {
  Start();
  RunUntil(io_, [&] { return peer_.requests().size() == 1; });
  // The fixture now destroys pool and loop with the call suspended; the sanitizers watch.
}

}  // namespace
}  // namespace medidesk::assistant::claude::testing
