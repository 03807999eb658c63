// The pool over TLS: which peers it trusts.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <list>

#include "assistant/claude/base_url.h"
#include "assistant/claude/connection_pool.h"
#include "assistant/claude/testing/certificate.h"
#include "assistant/claude/testing/run.h"
#include "assistant/claude/testing/scripted_peer.h"

namespace medidesk::assistant::claude::testing {
namespace {

namespace asio = boost::asio;

class TlsTest : public ::testing::Test {
 protected:
  ~TlsTest() override {
    pool_.reset();
    if (!ca_file_.empty()) ::unlink(ca_file_.c_str());
  }

  // A peer that shows a certificate for `name`, and a pool that calls it `host`.
  void Make(const std::string& name, std::string_view host, bool trusted) {
    const TestCertificate certificate = MakeCertificate(name);
    tls_.use_certificate_chain(asio::buffer(certificate.certificate_pem));
    tls_.use_private_key(asio::buffer(certificate.key_pem), asio::ssl::context::pem);
    peer_ = std::make_unique<ScriptedPeer>(io_, &tls_);
    if (trusted) {
      std::string path = ::testing::TempDir() + "/claude_ca_XXXXXX";
      const int fd = ::mkstemp(path.data());
      ASSERT_GE(fd, 0);
      ::close(fd);
      ca_file_ = path;
      std::ofstream(ca_file_) << certificate.certificate_pem;
    }
    ConnectionPool::Options options;
    options.origin = ParseBaseUrl(peer_->base_url(host)).value();
    options.ca_file = ca_file_;
    pool_ = ConnectionPool::Make(io_.get_executor(), std::move(options)).value();
  }

  asio::awaitable<absl::StatusOr<std::string>> Exchange() {
    HttpRequest request;
    request.method = "POST";
    request.target = "/x";
    request.body = "{}";
    const Deadline deadline = Clock::now() + std::chrono::seconds(30);
    absl::StatusOr<ConnectionPool::Answer> answer = co_await pool_->Send(std::move(request), deadline);
    if (!answer.ok()) co_return std::move(answer).status();
    co_return co_await answer->ReadAll(deadline);
  }
  absl::StatusOr<std::string> Get() { return Await(io_, Exchange()); }

  asio::io_context io_{1};
  asio::ssl::context tls_{asio::ssl::context::tls_server};
  std::unique_ptr<ScriptedPeer> peer_;
  std::string ca_file_;
  std::unique_ptr<ConnectionPool> pool_;
};

TEST_F(TlsTest, TalksToAPeerItTrustsAndKeepsTheConnection) {
  Make("localhost", "localhost", true);
  for (int i = 0; i < 3; ++i) {
    peer_->Enqueue(JsonReply(200, R"({"a":1})"));
    const auto body = Get();
    ASSERT_TRUE(body.ok()) << body.status();
    EXPECT_EQ(*body, R"({"a":1})");
  }
  EXPECT_EQ(pool_->stats().opened, 1u);
}

TEST_F(TlsTest, RefusesACertificateForAnotherName) {
  Make("elsewhere.example", "localhost", true);
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(peer_->requests().empty());
}

TEST_F(TlsTest, RefusesANameCertificateForAnAddress) {
  Make("localhost", "127.0.0.1", true);
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(peer_->requests().empty());
}

TEST_F(TlsTest, RefusesACertificateOfNobodyItKnows) {
  Make("localhost", "localhost", false);
  const auto body = Get();
  EXPECT_EQ(body.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(body.status().message()), ::testing::HasSubstr("certificate"));
  EXPECT_TRUE(peer_->requests().empty());
}

TEST_F(TlsTest, RefusesAPeerThatDoesNotSpeakTls) {
  ScriptedPeer plain(io_);
  ConnectionPool::Options options;
  options.origin = ParseBaseUrl(plain.base_url()).value();
  options.origin.tls = true;
  pool_ = ConnectionPool::Make(io_.get_executor(), std::move(options)).value();
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(TlsTest, ReplacesAStaleConnection) {
  Make("localhost", "localhost", true);
  PeerReply closes = JsonReply(200, "{}");
  closes.after = PeerReply::After::kClose;
  peer_->Enqueue(closes);
  peer_->Enqueue(JsonReply(200, "{}"));
  ASSERT_TRUE(Get().ok());
  EXPECT_TRUE(Get().ok());
  EXPECT_EQ(pool_->stats().opened, 2u);
}

TEST_F(TlsTest, FreesItsSlotWhereverACallIsCancelled) {
  Make("localhost", "localhost", true);
  std::list<asio::cancellation_signal> signals;  // each must outlive its call
  for (int steps = 0; steps < 60; steps += 2) {
    peer_->Enqueue(JsonReply(200, std::string(3000, 'x')));
    asio::cancellation_signal& cancel = signals.emplace_back();
    bool started = false, ended = false;
    auto body = [&]() -> asio::awaitable<absl::StatusOr<std::string>> {
      started = true;
      return Exchange();
    };
    auto done = [&](std::exception_ptr, absl::StatusOr<std::string>) { ended = true; };
    asio::co_spawn(io_, body, asio::bind_cancellation_slot(cancel.slot(), done));
    RunUntil(io_, [&] { return started; });
    io_.restart();
    for (int i = 0; i < steps; ++i) io_.poll_one();
    cancel.emit(asio::cancellation_type::terminal);
    RunUntil(io_, [&] { return ended; });
    ASSERT_EQ(pool_->stats().in_use, 0u) << "after " << steps << " steps";
  }
}

}  // namespace
}  // namespace medidesk::assistant::claude::testing
