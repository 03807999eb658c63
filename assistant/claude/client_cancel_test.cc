// Cancelling calls, many calls at once, and the probe.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <thread>

#include "assistant/claude/testing/client_fixture.h"

namespace medidesk::assistant::claude::testing {
namespace {

namespace asio = boost::asio;
using ::testing::HasSubstr;

class ClientCancelTest : public ClientTest {
 protected:
  struct Call {
    asio::cancellation_signal cancel;
    bool started = false, ended = false;
    std::optional<absl::StatusOr<Result>> result;
  };
  std::shared_ptr<Call> Start() {
    auto call = std::make_shared<Call>();
    started_.push_back(call);
    auto ended = [call](std::exception_ptr error, absl::StatusOr<Result> result) {
      call->ended = true;
      if (!error) call->result = std::move(result);
    };
    // A coroutine cancelled before its first step throws out of the loop (Asio's co_spawn), so that
    // tests wait for the start.
    auto body = [this, call]() -> asio::awaitable<absl::StatusOr<Result>> {
      call->started = true;
      return client().Ask(Question(), Plenty());
    };
    asio::co_spawn(io_, std::move(body), asio::bind_cancellation_slot(call->cancel.slot(), std::move(ended)));
    return call;
  }

  // Asio hands a cancellation on through the loop: a signal must outlive its call.
  std::vector<std::shared_ptr<Call>> started_;
};

TEST_F(ClientCancelTest, EndsACallThatIsCancelledInMidRequest) {
  const auto call = Start();
  RunUntil(io_, [&] { return peer_.requests().size() == 1; });
  call->cancel.emit(asio::cancellation_type::all);
  RunUntil(io_, [&] { return call->ended && peer_.closed() == 1; });
  ASSERT_TRUE(call->result.has_value());
  EXPECT_EQ(call->result->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(TroubleOf(call->result->status()), Trouble::kCancelled);
  EXPECT_EQ(peer_.requests().size(), 1u);
  EXPECT_EQ(Metric("medidesk_assistant_claude_requests_total", {{"model", kPrimary}, {"outcome", "cancelled"}}), 1);
  Answer("Still there.");
  EXPECT_TRUE(Ask().ok());
}

TEST_F(ClientCancelTest, EndsACallThatIsCancelledWhileItWaitsForARetry) {
  options_.timing.sleep = SystemTiming().sleep;
  Fail(429, "rate_limit_error", {{"retry-after", "5"}});
  const auto call = Start();
  RunUntil(io_, [&] { return peer_.requests().size() == 1; });
  io_.run_for(std::chrono::milliseconds(10));
  call->cancel.emit(asio::cancellation_type::all);
  RunUntil(io_, [&] { return call->ended; });
  EXPECT_EQ(call->result->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(peer_.requests().size(), 1u);
}

TEST_F(ClientCancelTest, LeavesTheClientWholeWhereverACallIsCancelled) {
  for (int steps = 0; steps < 60; ++steps) {
    Fail(503, "api_error");
    Answer("late");
    const auto call = Start();
    RunUntil(io_, [&] { return call->started; });
    io_.restart();
    for (int i = 0; i < steps; ++i) io_.poll_one();
    call->cancel.emit(asio::cancellation_type::terminal);
    RunUntil(io_, [&] { return call->ended; });
  }
  while (peer_.unused_replies() > 0) {
    static_cast<void>(Ask());
  }
  Answer("fine");
  EXPECT_TRUE(Ask().ok());
}

TEST_F(ClientCancelTest, DoesNotCountACancelledCallAgainstTheModel) {
  options_.circuit.failures_to_open = 1;
  for (int i = 0; i < 3; ++i) {
    const auto call = Start();
    const std::size_t before = peer_.requests().size();
    RunUntil(io_, [&] { return peer_.requests().size() == before + 1; });
    call->cancel.emit(asio::cancellation_type::all);
    RunUntil(io_, [&] { return call->ended; });
  }
  Answer("Yes.");
  EXPECT_EQ(Ask().value().model, kPrimary);
}

TEST_F(ClientCancelTest, ServesManyCallsOnSeveralThreads) {
  options_.timing = SystemTiming();
  options_.max_connections = 8;
  constexpr int kCalls = 200;
  for (int i = 0; i < kCalls; ++i) Answer("Yes.");
  asio::io_context callers;
  std::atomic<int> answered{0}, ended{0};
  // The peer's loop stays on this thread; the callers' strands run on three others. The pool's
  // sockets belong to the callers' loop.
  auto shared = MakeClient(callers.get_executor(), options_, metrics_).value();
  for (int i = 0; i < kCalls; ++i) {
    auto done = [&](std::exception_ptr error, absl::StatusOr<Result> result) {
      if (!error && result.ok()) ++answered;
      ++ended;
    };
    asio::co_spawn(asio::make_strand(callers), shared->Ask(Question(), Plenty()), done);
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([&] { callers.run(); });
  RunUntil(io_, [&] { return ended == kCalls; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, kCalls);
  EXPECT_LE(peer_.connections(), 8);
}

TEST_F(ClientCancelTest, ProbesItsModelsAndUsesWhatItFinds) {
  peer_.Enqueue(JsonReply(200, R"({"type":"model","id":"claude-haiku-5-5","lifecycle":"deprecated",)"
                               R"("retires_at":"2027-10-07","capabilities":{"thinking":{"types":{"between_tools":)"
                               R"({"supported":true}}},"effort":{"low":{"supported":false}}}})"));
  Fail(404, "not_found_error");
  ::testing::internal::CaptureStderr();
  Await(io_, client().Probe());
  const std::string logs = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(logs, HasSubstr("claude_model_not_active"));
  EXPECT_THAT(logs, HasSubstr("lifecycle=deprecated"));
  EXPECT_THAT(logs, HasSubstr("2027-10-07"));
  EXPECT_THAT(logs, HasSubstr("claude_probe_failed"));
  EXPECT_EQ(peer_.requests().at(0).method, "GET");
  EXPECT_EQ(peer_.requests().at(0).target, "/v1/models/claude-haiku-5-5");
  EXPECT_EQ(peer_.requests().at(1).target, "/v1/models/claude-sonnet-5-5");

  Answer("Yes.");
  ASSERT_TRUE(Ask().ok());
  EXPECT_THAT(peer_.requests().back().body, HasSubstr(R"("thinking":{"type":"between_tools"})"));
  EXPECT_THAT(peer_.requests().back().body, ::testing::Not(HasSubstr("effort")));
}

TEST_F(ClientCancelTest, WorksAfterAProbeThatFailed) {
  peer_.Enqueue(CloseWithoutAByte());
  peer_.Enqueue(JsonReply(200, "<html>"));
  Await(io_, client().Probe());
  Answer("Yes.");
  EXPECT_TRUE(Ask().ok());
}

}  // namespace
}  // namespace medidesk::assistant::claude::testing
