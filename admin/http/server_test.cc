#include "admin/http/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <future>
#include <mutex>
#include <thread>

#include "admin/http/testing/idle.h"
#include "admin/http/testing/raw_client.h"
#include "base/io_threads.h"
#include "base/uuid.h"

namespace medidesk::http {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::HasSubstr;

// Handlers wait on it until the test opens it.
class Gate {
 public:
  explicit Gate(asio::io_context::executor_type executor)
      : timer_(asio::make_strand(executor), std::chrono::steady_clock::time_point::max()) {}
  asio::awaitable<void> Pass() {
    ++waiting_;
    asio::awaitable<void> wait = Wait();
    co_await asio::co_spawn(timer_.get_executor(), std::move(wait), asio::use_awaitable);
  }
  void Open() {
    open_ = true;
    asio::post(timer_.get_executor(), [this] { timer_.cancel(); });
  }
  // Until `count` handlers wait here.
  bool Await(int count) const {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (waiting_ < count && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return waiting_ >= count;
  }

 private:
  asio::awaitable<void> Wait() {
    boost::system::error_code ignored;
    while (!open_) co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  asio::steady_timer timer_;
  std::atomic<bool> open_{false};
  std::atomic<int> waiting_{0};
};

class ServerTest : public testing::Test {
 protected:
  ~ServerTest() override {
    gate_.Open();
    io_.Stop();
  }

  void Start(Server::Options options = {}) {
    Router router;
    router.Add("GET", "/hello", [](Request& request) -> asio::awaitable<Response> {
      Response response = JsonResponse(200, R"({"peer":")" + request.peer.to_string() + "\"}");
      response.Add("x-local", request.from_loopback() ? "yes" : "no");
      co_return response;
    });
    router.Add("POST", "/echo", [](Request& request) -> asio::awaitable<Response> {
      co_return Response{.status = 200, .body = std::move(request.body), .content_type = "text/plain"};
    });
    router.Add("GET", "/wait", [this](Request&) -> asio::awaitable<Response> {
      co_await gate_.Pass();
      co_return JsonResponse(200, "{}");
    });
    router.Add("GET", "/throw", [](Request&) -> asio::awaitable<Response> {
      throw std::runtime_error("secret of the database");
      co_return Response{};
    });
    router.Add("GET", "/large",
               [](Request&) -> asio::awaitable<Response> { co_return JsonResponse(200, std::string(30u << 20, 'x')); });
    router.Add("GET", "/refused", [this](Request&) -> asio::awaitable<Response> {
      {
        const std::lock_guard lock(mutex_);
        asked_.push_back(std::chrono::steady_clock::now());
      }
      Response response = JsonResponse(429, "{}");
      response.pause = pause_;
      co_return response;
    });
    router.Add("GET", "/always", [](Request&) -> asio::awaitable<Response> { co_return JsonResponse(200, "{}"); },
               {.counts = false});
    options.on_answered = [this](const Server::Answered& answered) {
      const std::lock_guard lock(mutex_);
      answered_.emplace_back(std::string(answered.route) + " " + std::to_string(answered.status));
    };
    auto server = Server::Listen(io_.executor(), std::move(options), std::move(router));
    ASSERT_TRUE(server.ok()) << Text(server.status());
    server_ = *std::move(server);
  }
  void Stop(std::chrono::milliseconds grace) {
    asio::co_spawn(io_.executor(), server_->Stop(grace), asio::use_future).get();
  }
  bool AwaitConnections(int count) const {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (server_->connections() != count && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return server_->connections() == count;
  }
  std::vector<std::string> answered() {
    const std::lock_guard lock(mutex_);
    return answered_;
  }

  std::mutex mutex_;
  std::vector<std::string> answered_;                         // under mutex_
  std::vector<std::chrono::steady_clock::time_point> asked_;  // under mutex_
  std::chrono::milliseconds pause_{0};                        // of /refused
  IoThreads io_{2};
  Gate gate_{io_.executor()};
  std::unique_ptr<Server> server_;
};

constexpr std::string_view kHello = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

std::string Post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

TEST_F(ServerTest, AnswersOneRequestAfterTheOtherOnAConnection) {
  Start();
  RawClient client(server_->port());
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.Ask(kHello);
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, R"({"peer":"127.0.0.1"})");
    EXPECT_EQ(answer.headers.at("content-type"), "application/json");
    EXPECT_EQ(answer.headers.at("connection"), "keep-alive");
    EXPECT_EQ(answer.headers.at("x-local"), "yes");
    EXPECT_TRUE(IsUuid(answer.headers.at("x-request-id")));
  }
  EXPECT_EQ(client.Ask("GET /hello HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n").headers["x-local"], "no");
  EXPECT_EQ(client.Ask("GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: my-id\r\n\r\n").headers["x-request-id"],
            "my-id");
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  Start();
  RawClient client(server_->port());
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += Post("/echo", "body " + std::to_string(i));
  ASSERT_TRUE(client.Send(requests));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.Read().body, "body " + std::to_string(i));
}

TEST_F(ServerTest, TakesARequestByteByByte) {
  Start();
  RawClient client(server_->port());
  for (const char c : Post("/echo", "slow")) ASSERT_TRUE(client.Send(std::string_view(&c, 1)));
  EXPECT_EQ(client.Read().body, "slow");
}

TEST_F(ServerTest, TakesBodiesUpToTheLimit) {
  Start();
  RawClient client(server_->port());
  const std::string body(1u << 20, 'b');
  EXPECT_EQ(client.Ask(Post("/echo", body)).body, body);
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(client.Send("10000\r\n" + body.substr(0, 65536) + "\r\n"));
  ASSERT_TRUE(client.Send("0\r\n\r\n"));
  EXPECT_EQ(client.Read().body, body);
}

TEST_F(ServerTest, ReadsAnOversizeBodyBeforeItSaysSo) {
  Start();
  RawClient client(server_->port());
  const std::string body((1u << 20) + 1, 'b');
  auto answer = client.Ask(Post("/echo", body));
  EXPECT_EQ(answer.status, 413);
  EXPECT_THAT(answer.body, HasSubstr(R"("success":false)"));
  EXPECT_THAT(answer.body, HasSubstr(R"("code":"BODY_TOO_LARGE")"));
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
  for (int i = 0; i < 32; ++i) ASSERT_TRUE(client.Send("10000\r\n" + body.substr(0, 65536) + "\r\n"));
  ASSERT_TRUE(client.Send("0\r\n\r\n"));
  EXPECT_EQ(client.Read().status, 413);
  EXPECT_EQ(client.Ask(kHello).status, 200);  // the connection lives on
  EXPECT_THAT(answered(), testing::ElementsAre("/echo 413", "/echo 413", "/hello 200"));
}

TEST_F(ServerTest, LetsTheClientReadTheAnswerToABodyItWillNotDrain) {
  Server::Options options;
  options.limits = {.max_body = 1000, .max_drain = 8u << 20};
  Start(options);
  RawClient client(server_->port());
  // More than the socket buffers hold: the answer is only readable if the server goes on reading.
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99000000\r\n\r\n"));
  const std::string piece(1u << 20, 'x');
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(client.Send(piece));
  const auto answer = client.Read();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_TRUE(client.ClosedByServer());
  client.CloseSending();
  EXPECT_TRUE(AwaitConnections(0));
}

TEST_F(ServerTest, StopsDrainingWhatNeverEnds) {
  Server::Options options;
  options.limits = {.max_body = 1000, .max_drain = 1u << 20};
  Start(options);
  RawClient client(server_->port());
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000\r\n\r\n"));
  const std::string piece(1u << 20, 'x');
  int sent = 0;
  while (sent < 1000 && client.Send(piece)) ++sent;
  EXPECT_LT(sent, 100);
  EXPECT_TRUE(AwaitConnections(0));
}

TEST_F(ServerTest, SaysContinueBeforeTheBody) {
  Start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.Read(/*head_only=*/true).status, 100);
  EXPECT_EQ(client.Ask("ok").body, "ok");
}

TEST_F(ServerTest, RefusesBadRequestsAndCloses) {
  Start();
  for (const std::string_view request :
       {"NOT HTTP\r\n\r\n", "GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"}) {
    RawClient client(server_->port());
    const auto answer = client.Ask(request);
    EXPECT_GE(answer.status, 400) << request;
    EXPECT_THAT(answer.body, HasSubstr(R"("requestId":")"));
    EXPECT_EQ(answer.headers.at("connection"), "close");
    EXPECT_TRUE(client.ClosedByServer());
  }
  RawClient client(server_->port());
  EXPECT_EQ(client.Ask("GET /hello HTTP/1.1\r\nHost: x\r\nA: " + std::string(17'000, 'a') + "\r\n\r\n").status, 431);
}

TEST_F(ServerTest, SurvivesClientsThatLeave) {
  Start();
  for (const std::string_view part : {"", "GET", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"}) {
    RawClient client(server_->port());
    ASSERT_TRUE(client.Send(part));
  }
  {
    RawClient client(server_->port());
    ASSERT_TRUE(client.Send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n"));
  }
  EXPECT_TRUE(AwaitConnections(0));
  RawClient half(server_->port());
  ASSERT_TRUE(half.Send(kHello));
  half.CloseSending();
  EXPECT_EQ(half.Read().status, 200);
}

TEST_F(ServerTest, AnswersUnknownPathsAndMethods) {
  Start();
  RawClient client(server_->port());
  auto answer = client.Ask("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.status, 404);
  EXPECT_THAT(answer.body, HasSubstr(R"("code":"NOT_FOUND")"));
  answer = client.Ask("DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.headers.at("allow"), "GET, HEAD");
  EXPECT_THAT(answered(), testing::ElementsAre("other 404", "/hello 405"));
}

TEST_F(ServerTest, AnswersHeadWithoutABody) {
  Start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.Send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
  const auto answer = client.Read(/*head_only=*/true);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-length"), "20");
  EXPECT_EQ(client.Ask(kHello).status, 200);  // no stray body in between
}

TEST_F(ServerTest, HidesWhatAHandlerThrows) {
  Start();
  RawClient client(server_->port());
  const auto answer = client.Ask("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.body, HasSubstr(R"("code":"INTERNAL")"));
  EXPECT_THAT(answer.body, testing::Not(HasSubstr("secret")));
  EXPECT_EQ(client.Ask(kHello).status, 200);
}

TEST_F(ServerTest, SendsLargeAnswersWhole) {
  Start();
  RawClient client(server_->port());
  EXPECT_EQ(client.Ask("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").body.size(), 30u << 20);
}

TEST_F(ServerTest, LetsEveryAnswerBeDecorated) {
  Server::Options options;
  options.limits.max_body = 10;
  options.on_response = [](const Request& request, Response& response) {
    response.Add("x-path", std::string(request.path()));
  };
  Start(options);
  RawClient client(server_->port());
  EXPECT_EQ(client.Ask(kHello).headers["x-path"], "/hello");
  EXPECT_EQ(client.Ask(Post("/echo", "more than ten bytes")).headers["x-path"], "/echo");
  EXPECT_EQ(client.Ask("GET /no HTTP/1.1\r\nHost: x\r\n\r\n").headers["x-path"], "/no");
}

TEST_F(ServerTest, RefusesAtOnceWhatIsAboveItsCapacity) {
  Server::Options options;
  options.max_in_flight = 2;
  Start(options);
  RawClient first(server_->port()), second(server_->port()), third(server_->port());
  ASSERT_TRUE(first.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(second.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(gate_.Await(2));
  const auto answer = third.Ask(kHello);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.at("retry-after"), "1");
  EXPECT_THAT(answer.body, HasSubstr(R"("code":"OVERLOADED")"));
  EXPECT_EQ(third.Ask("GET /always HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
  gate_.Open();
  EXPECT_EQ(first.Read().status, 200);
  EXPECT_EQ(second.Read().status, 200);
  EXPECT_EQ(third.Ask(kHello).status, 200);
  EXPECT_TRUE(ComesToRest(*server_));
}

TEST_F(ServerTest, ReadsNothingForAWhileAfterAnAnswerThatSaysSo) {
  constexpr std::string_view kRefused = "GET /refused HTTP/1.1\r\nHost: x\r\n\r\n";
  pause_ = 300ms;
  Start();
  RawClient client(server_->port());
  EXPECT_EQ(client.Ask(kRefused).status, 429);
  EXPECT_EQ(client.Ask(kRefused).status, 429);
  ASSERT_EQ(asked_.size(), 2u);
  EXPECT_GE(asked_[1] - asked_[0], pause_);
}

TEST_F(ServerTest, APausedConnectionHoldsNobodyUp) {
  pause_ = 1h;
  Server::Options options;
  options.max_connections = 1;
  Start(options);
  RawClient paused(server_->port());
  EXPECT_EQ(paused.Ask("GET /refused HTTP/1.1\r\nHost: x\r\n\r\n").status, 429);
  ASSERT_TRUE(paused.Send(kHello));
  RawClient other(server_->port());  // takes the place of the paused one
  EXPECT_EQ(other.Ask(kHello).status, 200);
  EXPECT_EQ(other.Ask("GET /refused HTTP/1.1\r\nHost: x\r\n\r\n").status, 429);
  Stop(1h);
  EXPECT_EQ(server_->connections(), 0);
}

TEST_F(ServerTest, ClosesAnIdleConnectionToMakeRoom) {
  Server::Options options;
  options.max_connections = 2;
  Start(options);
  RawClient oldest(server_->port());
  ASSERT_EQ(oldest.Ask(kHello).status, 200);
  RawClient busy(server_->port());
  ASSERT_TRUE(busy.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(gate_.Await(1));
  RawClient newest(server_->port());
  EXPECT_EQ(newest.Ask(kHello).status, 200);
  EXPECT_TRUE(oldest.ClosedByServer());
  gate_.Open();
  EXPECT_EQ(busy.Read().status, 200);
}

TEST_F(ServerTest, PausesAcceptingWhileEveryConnectionIsBusy) {
  Server::Options options;
  options.max_connections = 1;
  Start(options);
  RawClient busy(server_->port());
  ASSERT_TRUE(busy.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(gate_.Await(1));
  RawClient queued(server_->port());
  ASSERT_TRUE(queued.Send(kHello));
  EXPECT_EQ(queued.Peek(50ms), "");
  EXPECT_EQ(server_->connections(), 1);
  gate_.Open();
  EXPECT_EQ(busy.Read().status, 200);
  EXPECT_EQ(queued.Read().status, 200);
}

TEST_F(ServerTest, ClosesWhatStaysIdle) {
  Server::Options options;
  options.idle_timeout = 50ms;
  Start(options);
  RawClient silent(server_->port());
  RawClient used(server_->port());
  ASSERT_EQ(used.Ask(kHello).status, 200);
  EXPECT_TRUE(silent.ClosedByServer());
  EXPECT_TRUE(used.ClosedByServer());
}

TEST_F(ServerTest, ClosesASlowRequestHoweverSteadilyItDrips) {
  Server::Options options;
  options.read_timeout = 100ms;
  Start(options);
  RawClient client(server_->port());
  ASSERT_TRUE(client.Send("GET /hello HTTP/1.1\r\nHost: x\r\nA: "));
  const auto end = std::chrono::steady_clock::now() + 10s;
  bool open = true;
  while (open && std::chrono::steady_clock::now() < end) {
    open = client.Send("a");
    client.Peek(5ms);
  }
  EXPECT_FALSE(open);
  EXPECT_TRUE(AwaitConnections(0));
}

TEST_F(ServerTest, ClosesAClientThatDoesNotReadItsAnswer) {
  Server::Options options;
  options.write_timeout = 100ms;
  Start(options);
  RawClient client(server_->port());
  ASSERT_TRUE(client.Send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n"));
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (answered().empty() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_TRUE(AwaitConnections(0));
}

TEST_F(ServerTest, FinishesRunningRequestsWhenItStops) {
  Start();
  RawClient idle(server_->port());
  ASSERT_EQ(idle.Ask(kHello).status, 200);
  RawClient busy(server_->port());
  ASSERT_TRUE(busy.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(gate_.Await(1));
  auto stopped = asio::co_spawn(io_.executor(), server_->Stop(30s), asio::use_future);
  EXPECT_TRUE(idle.ClosedByServer());
  RawClient late(server_->port());
  EXPECT_EQ(late.Ask(kHello).status, 0);
  EXPECT_EQ(stopped.wait_for(0s), std::future_status::timeout);
  gate_.Open();
  const auto answer = busy.Read();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("connection"), "close");
  stopped.get();
  EXPECT_EQ(server_->connections(), 0);
}

TEST_F(ServerTest, ClosesWhatDoesNotFinishInItsGrace) {
  Start();
  RawClient busy(server_->port());
  ASSERT_TRUE(busy.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(gate_.Await(1));
  Stop(20ms);
  EXPECT_EQ(busy.Read().status, 0);
}

// A self-signed certificate and its key, as files that end with the object.
class TlsFiles {
 public:
  TlsFiles() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    FILE* file = std::fopen(certificate_.c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(key_.c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~TlsFiles() {
    std::remove(certificate_.c_str());
    std::remove(key_.c_str());
  }
  const std::string& certificate() const { return certificate_; }
  const std::string& key() const { return key_; }

 private:
  const std::string base_ = testing::TempDir() + "tls_" + NewUuid();
  const std::string certificate_ = base_ + ".pem", key_ = base_ + ".key";
};

TEST_F(ServerTest, SpeaksTls) {
  const TlsFiles files;
  Server::Options options;
  options.tls_cert = files.certificate();
  options.tls_key = files.key();
  Start(options);
  RawClient client(server_->port(), /*tls=*/true);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.Ask(kHello).status, 200);
  const std::string body((1u << 20) + 1, 'b');
  EXPECT_EQ(client.Ask(Post("/echo", body)).status, 413);
  EXPECT_EQ(client.Ask("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").body.size(), 30u << 20);
  const auto refused = client.Ask("NOT HTTP\r\n\r\n");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.headers.at("connection"), "close");
}

TEST_F(ServerTest, ClosesWhatNeverFinishesItsTlsHandshake) {
  const TlsFiles files;
  Server::Options options;
  options.tls_cert = files.certificate();
  options.tls_key = files.key();
  options.handshake_timeout = 50ms;
  Start(options);
  RawClient silent(server_->port());
  silent.ClosedByServer();
  RawClient plain(server_->port());
  EXPECT_EQ(plain.Ask(kHello).status, 0);
  EXPECT_TRUE(AwaitConnections(0));
}

TEST_F(ServerTest, RefusesSettingsItCannotUse) {
  const auto refused = [this](Server::Options options) {
    return std::string(Text(Server::Listen(io_.executor(), std::move(options), Router()).status()));
  };
  EXPECT_EQ(refused({.address = "example"}), "HTTP address: expected an IPv4 or IPv6 address");
  EXPECT_EQ(refused({.tls_cert = "a.pem"}), "HTTP TLS: give both the certificate and the key");
  EXPECT_EQ(refused({.tls_cert = "/nonexistent", .tls_key = "/nonexistent"}),
            "TLS certificate: not a readable PEM file");
  Start();
  EXPECT_THAT(refused({.port = server_->port()}), HasSubstr("cannot listen"));
}

TEST(IsLoopbackAddress, KnowsWhatOnlyThisMachineReaches) {
  for (const char* address : {"127.0.0.1", "127.9.9.9", "::1", "localhost"}) EXPECT_TRUE(IsLoopbackAddress(address));
  for (const char* address : {"0.0.0.0", "::", "10.0.0.1", "", "host"}) EXPECT_FALSE(IsLoopbackAddress(address));
}

}  // namespace
}  // namespace medidesk::http
