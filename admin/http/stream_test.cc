// Bodies that are made while they are sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "admin/http/server.h"
#include "admin/http/testing/idle.h"
#include "admin/http/testing/raw_client.h"
#include "base/io_threads.h"

namespace medidesk::http {
namespace {

namespace asio = boost::asio;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

asio::awaitable<bool> Count(BodyWriter& out) {
  for (const char* word : {"one", "", "two", "three"}) {
    if (!co_await out.Write(word)) co_return false;
  }
  co_return true;
}
asio::awaitable<bool> BreakOff(BodyWriter& out) {
  co_await out.Write("one");
  co_return false;
}
asio::awaitable<bool> Throw(BodyWriter& out) {
  co_await out.Write("one");
  throw std::runtime_error("secret");
}

class StreamTest : public testing::Test {
 protected:
  StreamTest() {
    Router router;
    const auto add = [&router](const char* path, asio::awaitable<bool> (*body)(BodyWriter&)) {
      router.Add("GET", path, [body](Request&) -> asio::awaitable<Response> {
        Response response{.content_type = "text/plain"};
        response.stream = body;
        co_return response;
      });
    };
    add("/count", Count);
    add("/break", BreakOff);
    add("/throw", Throw);
    auto listening = Server::Listen(io_.executor(), {}, std::move(router));
    EXPECT_TRUE(listening.ok()) << listening.status();
    server_ = *std::move(listening);
  }
  ~StreamTest() override { io_.Stop(); }

  // Everything until `end` has come or the server has closed.
  static std::string ReadUntil(RawClient& client, std::string_view end) {
    std::string text;
    while (!text.ends_with(end)) {
      const std::string more = client.Peek(std::chrono::seconds(10));
      if (more.empty()) break;
      text += more;
    }
    return text;
  }

  IoThreads io_{2};
  std::unique_ptr<Server> server_;
};

constexpr std::string_view kEnd = "\r\n0\r\n\r\n";

TEST_F(StreamTest, SendsChunksAndKeepsTheConnection) {
  RawClient client(server_->port());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(client.Send("GET /count HTTP/1.1\r\nhost: a\r\n\r\n"));
    const std::string answer = ReadUntil(client, kEnd);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("transfer-encoding: chunked\r\n"));
    EXPECT_THAT(answer, Not(HasSubstr("content-length")));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"));
  }
  EXPECT_TRUE(ComesToRest(*server_));
}

TEST_F(StreamTest, AnswersHeadWithoutABody) {
  RawClient client(server_->port());
  ASSERT_TRUE(client.Send("HEAD /count HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
  EXPECT_THAT(ReadUntil(client, "never"), EndsWith("\r\n\r\n"));
}

TEST_F(StreamTest, CutsOffWhatIsNotWhole) {
  for (const char* path : {"/break", "/throw"}) {
    RawClient client(server_->port());
    ASSERT_TRUE(client.Send("GET " + std::string(path) + " HTTP/1.1\r\nhost: a\r\n\r\n"));
    const std::string answer = ReadUntil(client, kEnd);
    EXPECT_THAT(answer, EndsWith("\r\n3\r\none\r\n")) << path;
    EXPECT_THAT(answer, Not(HasSubstr("secret")));
  }
}

TEST_F(StreamTest, NeedsHttp11) {
  RawClient client(server_->port());
  EXPECT_EQ(client.Ask("GET /count HTTP/1.0\r\nhost: a\r\n\r\n").status, 505);
}

}  // namespace
}  // namespace medidesk::http
