// Calls over every way a service is reached: straight in the process, over gRPC in the process, over a
// unix socket and over TCP.
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include "base/rpc/client.h"
#include "base/rpc/server.h"
#include "base/rpc/testing/echo_service.h"

namespace medidesk::rpc::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

enum class Way { kLocal, kInProcess, kUnix, kTcp };

std::string Name(const ::testing::TestParamInfo<Way>& info) {
  static const char* const kNames[] = {"Local", "InProcess", "Unix", "Tcp"};
  return kNames[static_cast<int>(info.param)];
}

// True as soon as `condition` holds; false after 20 s.
template <class Condition>
bool Eventually(Condition condition) {
  const auto end = steady_clock::now() + 20s;
  while (!condition()) {
    if (steady_clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

class RpcTest : public ::testing::Test {
 protected:
  void Serve(Way way, const Dispatcher::Options& options = {.service = "test"}) {
    dispatcher_ = std::make_unique<Dispatcher>(loop_.executor(), registry_, options);
    echo_ = std::make_unique<EchoServiceImpl>(*dispatcher_);
    ServerOptions server;
    if (way == Way::kUnix) server.addresses = {"unix:" + ::testing::TempDir() + "rpc." + std::to_string(getpid())};
    if (way == Way::kTcp) server.addresses = {"127.0.0.1:0"};
    auto started = Server::Start(*dispatcher_, {echo_.get()}, server);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    channel_ = server_->InProcessChannel();
    if (way == Way::kInProcess) channel_.local = nullptr;
    if (way == Way::kUnix) channel_ = *Connect(server.addresses[0]);
    if (way == Way::kTcp) channel_ = *Connect("127.0.0.1:" + std::to_string(server_->port()));
    client_ = std::make_unique<Client<EchoService>>(channel_);
  }

  void TearDown() override {
    client_.reset();
    channel_ = {};
    if (server_) server_->Shutdown(0ms);
  }

  static EchoRequest Request(Act act, const std::string& text = "hello") {
    EchoRequest request;
    request.set_id("7");
    request.set_text(text);
    request.set_act(act);
    return request;
  }
  absl::StatusOr<EchoResponse> Echo(const EchoRequest& request, const CallOptions& options) {
    return loop_.Run(client_->Call(MD_METHOD(Echo), request, options));
  }
  absl::StatusOr<EchoResponse> Echo(Act act) { return Echo(Request(act), Within(20s)); }
  std::string Metrics() { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  Loop& loop_ = Loop::Shared();
  prometheus::Registry registry_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<EchoServiceImpl> echo_;
  std::unique_ptr<Server> server_;
  Channel channel_;
  std::unique_ptr<Client<EchoService>> client_;
};

class EveryWay : public RpcTest, public ::testing::WithParamInterface<Way> {
 protected:
  void SetUp() override { Serve(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Ways, EveryWay, ::testing::Values(Way::kLocal, Way::kInProcess, Way::kUnix, Way::kTcp), Name);

TEST_P(EveryWay, AnswersAUnaryCall) {
  const auto response = Echo(Request(ACT_UNSPECIFIED, "visiting hours"), Within(20s));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->text(), "visiting hours");
  EXPECT_THAT(Metrics(), HasSubstr("medidesk_test_rpc_requests_total{code=\"OK\",method=\"EchoService/Echo\"} 1"));
  EXPECT_THAT(Metrics(), HasSubstr("medidesk_test_rpc_seconds_count{method=\"EchoService/Echo\"} 1"));
  EXPECT_THAT(Metrics(), HasSubstr("medidesk_test_rpc_in_flight{method=\"EchoService/Echo\"} 0"));
}

TEST_P(EveryWay, CarriesReasonsOfErrors) {
  const absl::Status status = Echo(ACT_FAIL).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Text(status), "told to fail");
  EXPECT_EQ(Reason(status), "TOLD_TO");
  EXPECT_EQ(ReasonMetadata(status), (std::map<std::string, std::string>{{"id", "7"}}));
}

TEST_P(EveryWay, HidesTheTextOfAnException) {
  const absl::Status status = Echo(Request(ACT_THROW, "secret words"), Within(20s)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.ToString(), Not(HasSubstr("secret")));
}

TEST_P(EveryWay, CarriesTraceDeadlineAndAuthorization) {
  CallOptions options = Within(20s);
  options.trace = TraceContext::New();
  options.authorization = Phi<std::string>("Bearer abc");
  const auto response = Echo(Request(ACT_DESCRIBE), options);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->trace_id(), options.trace.trace_id);
  EXPECT_GT(response->left(), 0);
  EXPECT_LE(response->left(), 21'000);  // gRPC rounds up
  EXPECT_EQ(response->authorization(), "Bearer abc");
  EXPECT_THAT(response->caller(), ElementsAre("local"));
}

TEST_P(EveryWay, MakesATraceAndADeadlineWhereTheCallerSentNone) {
  const auto response = Echo(Request(ACT_DESCRIBE), CallOptions());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->trace_id().size(), 32u);
  EXPECT_GT(response->left(), 0);
  EXPECT_LE(response->left(), 31'000);  // gRPC rounds up
}

TEST_P(EveryWay, EndsTheHandlerWhenTheDeadlinePasses) {
  EXPECT_EQ(Echo(Request(ACT_WAIT), Within(100ms)).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(Eventually([&] { return echo_->cancelled == 1; }));
  EXPECT_TRUE(Eventually([&] { return dispatcher_->running() == 0; }));
}

TEST_P(EveryWay, EndsTheHandlerWhenTheCallerIsCancelled) {
  asio::cancellation_signal cancel;
  auto strand = asio::make_strand(loop_.executor());
  std::promise<void> ended;
  auto call = [this]() -> asio::awaitable<void> {
    const EchoRequest request = Request(ACT_WAIT);
    const auto response = co_await client_->Call(MD_METHOD(Echo), request, Within(20s));
    EXPECT_EQ(response.status().code(), absl::StatusCode::kCancelled);
  };
  asio::co_spawn(strand, call(),
                 asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr) { ended.set_value(); }));
  ASSERT_TRUE(Eventually([&] { return echo_->started == 1; }));
  asio::post(strand, [&] { cancel.emit(asio::cancellation_type::all); });
  ended.get_future().get();
  EXPECT_TRUE(Eventually([&] { return echo_->cancelled == 1; }));
  EXPECT_TRUE(Eventually([&] { return dispatcher_->running() == 0; }));
  EXPECT_THAT(Metrics(), HasSubstr("code=\"CANCELLED\",method=\"EchoService/Echo\"} 1"));
}

TEST_P(EveryWay, SaysUnimplementedForAMethodWithoutAHandler) {
  EXPECT_EQ(loop_.Run(client_->Call(MD_METHOD(Missing), MissingRequest(), Within(20s))).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST_P(EveryWay, StreamsToTheEnd) {
  auto read = [this](bool fail) -> asio::awaitable<absl::Status> {
    RepeatRequest request;
    request.set_text("again");
    request.set_count(100);
    request.set_fail(fail);
    auto stream = client_->Stream(MD_METHOD(Repeat), request, Within(20s));
    for (int number = 1; number <= 100; ++number) {
      MD_ASSIGN_OR_CO_RETURN(const std::optional<RepeatResponse> next, co_await stream.Next());
      EXPECT_EQ(next->number(), number);
    }
    const auto end = co_await stream.Next();
    EXPECT_FALSE(end.ok() && end->has_value());
    const auto again = co_await stream.Next();
    EXPECT_EQ(again.status(), end.status());
    co_return end.status();
  };
  EXPECT_TRUE(loop_.Run(read(false)).ok());
  const absl::Status failed = loop_.Run(read(true));
  EXPECT_EQ(failed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Reason(failed), "TOLD_TO");
  EXPECT_THAT(Metrics(), HasSubstr("code=\"OK\",method=\"EchoService/Repeat\"} 1"));
}

TEST_P(EveryWay, HoldsAStreamBackWhileTheReaderIsBusyAndEndsItWhenTheReaderGoes) {
  auto read = [this]() -> asio::awaitable<void> {
    RepeatRequest request;
    request.set_text(std::string(100'000, 'x'));
    auto stream = client_->Stream(MD_METHOD(Repeat), request, CallOptions());
    const auto first = co_await stream.Next();
    EXPECT_TRUE(first.ok());
    // Nobody reads now: the writer comes to a stop.
    asio::steady_timer timer(co_await asio::this_coro::executor);
    int before = -1;
    while (before != echo_->written) {
      before = echo_->written;
      timer.expires_after(200ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
    EXPECT_LT(before, 1000);  // 100 MB
    EXPECT_EQ(echo_->cancelled, 0);
  };
  loop_.Run(read());
  EXPECT_TRUE(Eventually([&] { return dispatcher_->running() == 0; }));
}

TEST_P(EveryWay, CancelsAStreamWhoseNextMessageIsAwaited) {
  asio::cancellation_signal cancel;
  auto strand = asio::make_strand(loop_.executor());
  std::promise<absl::Status> ended;
  std::atomic<int> got{0};
  auto read = [&]() -> asio::awaitable<void> {
    RepeatRequest request;
    auto stream = client_->Stream(MD_METHOD(Repeat), request, CallOptions());
    co_await asio::this_coro::throw_if_cancelled(false);
    while (true) {
      const auto next = co_await stream.Next();
      if (!next.ok()) {
        ended.set_value(next.status());
        co_return;
      }
      ++got;
    }
  };
  asio::co_spawn(strand, read(), asio::bind_cancellation_slot(cancel.slot(), asio::detached));
  ASSERT_TRUE(Eventually([&] { return got > 10; }));
  asio::post(strand, [&] { cancel.emit(asio::cancellation_type::all); });
  EXPECT_EQ(ended.get_future().get().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(Eventually([&] { return dispatcher_->running() == 0; }));
}

// Many calls of every kind, each cancelled, timed out, finished or abandoned at a random moment. What it
// proves is what the sanitizers see, and that nothing is left over.
TEST_P(EveryWay, SurvivesEveryInterleaving) {
  auto one = [this](unsigned seed) -> asio::awaitable<void> {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer(co_await asio::this_coro::executor);
    unsigned state = seed;
    const auto random = [&state](unsigned below) { return (state = state * 1664525u + 1013904223u) / 65536u % below; };
    for (int i = 0; i < 40; ++i) {
      timer.expires_after(std::chrono::microseconds(random(1500)));
      const CallOptions options = random(4) == 0 ? Within(milliseconds(random(3))) : Within(20s);
      if (random(2) == 0) {
        const EchoRequest request = Request(random(2) == 0 ? ACT_WAIT : ACT_UNSPECIFIED);
        (void)co_await (client_->Call(MD_METHOD(Echo), request, options) || timer.async_wait(asio::use_awaitable));
      } else {
        RepeatRequest request;
        request.set_count(static_cast<int>(random(5)));
        auto stream = client_->Stream(MD_METHOD(Repeat), request, options);
        const unsigned reads = random(6);
        for (unsigned read = 0; read < reads; ++read) {
          const auto raced = co_await (stream.Next() || timer.async_wait(asio::use_awaitable));
          if (raced.index() == 1) break;
        }
      }
    }
  };
  std::vector<std::future<void>> all;
  for (unsigned seed = 0; seed < 16; ++seed) {
    all.push_back(asio::co_spawn(asio::make_strand(loop_.executor()), one(seed), asio::use_future));
  }
  for (auto& done : all) done.get();
  EXPECT_TRUE(Eventually([&] { return dispatcher_->running() == 0; }));
  EXPECT_TRUE(Echo(ACT_UNSPECIFIED).ok());
}

TEST_P(EveryWay, DrainsARunningCall) {
  auto response = asio::co_spawn(loop_.executor(), client_->Call(MD_METHOD(Echo), Request(ACT_GATE), Within(20s)),
                                 asio::use_future);
  ASSERT_TRUE(Eventually([&] { return echo_->started == 1; }));
  std::future<void> drained = asio::co_spawn(loop_.executor(), server_->Drain(20s), asio::use_future);
  // New calls are refused while the old one runs on.
  ASSERT_TRUE(Eventually([&] { return Echo(ACT_UNSPECIFIED).status().code() == absl::StatusCode::kUnavailable; }));
  EXPECT_EQ(drained.wait_for(0s), std::future_status::timeout);
  echo_->gate = true;
  EXPECT_TRUE(response.get().ok());
  drained.get();
  EXPECT_EQ(echo_->cancelled, 0);
}

TEST_P(EveryWay, CancelsWhatDoesNotEndInTheGrace) {
  auto response = asio::co_spawn(loop_.executor(), client_->Call(MD_METHOD(Echo), Request(ACT_WAIT), Within(20s)),
                                 asio::use_future);
  ASSERT_TRUE(Eventually([&] { return echo_->started == 1; }));
  server_->Shutdown(50ms);
  EXPECT_EQ(response.get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(echo_->cancelled, 1);
}

TEST_P(EveryWay, EndsEndlessStreamsBeforeItWaits) {
  std::atomic<int> got{0};
  auto read = [&]() -> asio::awaitable<absl::Status> {
    RepeatRequest request;
    auto stream = client_->Stream(MD_METHOD(Repeat), request, CallOptions());
    while (true) {
      const auto next = co_await stream.Next();
      if (!next.ok()) co_return next.status();
      ++got;
    }
  };
  auto ended = asio::co_spawn(asio::make_strand(loop_.executor()), read(), asio::use_future);
  ASSERT_TRUE(Eventually([&] { return got > 0; }));
  server_->Shutdown(1h);  // would not return in time otherwise
  EXPECT_EQ(ended.get().code(), absl::StatusCode::kUnavailable);
}

class EveryWayWithOneCall : public RpcTest, public ::testing::WithParamInterface<Way> {
 protected:
  void SetUp() override { Serve(GetParam(), {.service = "test", .max_in_flight = 1, .max_streams = 1}); }
};

INSTANTIATE_TEST_SUITE_P(Ways, EveryWayWithOneCall,
                         ::testing::Values(Way::kLocal, Way::kInProcess, Way::kUnix, Way::kTcp), Name);

TEST_P(EveryWayWithOneCall, RefusesTheSecondWithARetryDelay) {
  auto first = asio::co_spawn(loop_.executor(), client_->Call(MD_METHOD(Echo), Request(ACT_GATE), Within(20s)),
                              asio::use_future);
  ASSERT_TRUE(Eventually([&] { return echo_->started == 1; }));
  const absl::Status second = Echo(ACT_UNSPECIFIED).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryDelay(second), 500ms);
  EXPECT_THAT(Metrics(), HasSubstr("code=\"RESOURCE_EXHAUSTED\",method=\"EchoService/Echo\"} 1"));
  echo_->gate = true;
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(Echo(ACT_UNSPECIFIED).ok());
}

TEST_F(RpcTest, RecoversByItselfWhenTheServerComesBack) {
  Serve(Way::kUnix);
  const std::string address = "unix:" + ::testing::TempDir() + "rpc." + std::to_string(getpid());
  EXPECT_TRUE(Echo(ACT_UNSPECIFIED).ok());
  server_->Shutdown(0ms);
  server_.reset();
  EXPECT_EQ(Echo(ACT_UNSPECIFIED).status().code(), absl::StatusCode::kUnavailable);
  prometheus::Registry registry;
  Dispatcher dispatcher(loop_.executor(), registry, {.service = "again"});
  EchoServiceImpl echo(dispatcher);
  ServerOptions options;
  options.addresses = {address};
  const auto server = Server::Start(dispatcher, {&echo}, options);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(Eventually([&] { return Echo(ACT_UNSPECIFIED).ok(); }));
}

TEST_F(RpcTest, RefusesAMessageThatIsTooLarge) {
  Serve(Way::kTcp);
  const absl::Status status = Echo(Request(ACT_UNSPECIFIED, std::string(5 << 20, 'x')), Within(20s)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(echo_->started, 0);
}

}  // namespace
}  // namespace medidesk::rpc::testing
