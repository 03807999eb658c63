#include "tests/sim/claude/claude_stub.h"

#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tests/sim/claude/testing/raw_client.h"

namespace medidesk::claude_stub {
namespace {

namespace json = boost::json;
using std::chrono_literals::operator""s;
using testing::HasSubstr;

constexpr std::string_view kPath = "/v1/messages";

class ClaudeStubTest : public testing::Test {
 protected:
  void SetUp() override { Restart({}); }
  void Restart(ClaudeStub::Options options) {
    stub_.reset();
    auto stub = ClaudeStub::Start(std::move(options));
    ASSERT_TRUE(stub.ok()) << Text(stub.status());
    stub_ = *std::move(stub);
  }
  RawAnswer Exchange(RawClient& client, std::string_view request) {
    EXPECT_TRUE(client.Send(request));
    const auto answer = client.Read();
    EXPECT_TRUE(answer.has_value()) << "no answer";
    return answer.value_or(RawAnswer{});
  }
  RawAnswer Exchange(std::string_view request) {
    RawClient client(stub_->port());
    return Exchange(client, request);
  }
  RawAnswer Say(std::string_view text) { return Exchange(PostRequest(kPath, MessageBody(text))); }
  static std::string TextOf(const RawAnswer& answer) {
    json::error_code error;
    const json::value body = json::parse(answer.body, error);
    if (error || answer.status != 200) return fmt::format("status {}: {}", answer.status, answer.body);
    return std::string(body.at("content").at(0).at("text").as_string());
  }

  std::unique_ptr<ClaudeStub> stub_;
};

TEST_F(ClaudeStubTest, TakesHeaderNamesInAnyCase) {
  const std::string body = MessageBody("hi");
  const RawAnswer answer =
      Exchange(fmt::format("POST /v1/messages HTTP/1.1\r\nHOST: x\r\nX-API-KEY: k\r\nAnthropic-Version: "
                           "2026-10-21\r\nCONTENT-LENGTH: {}\r\n\r\n{}",
                           body.size(), body));
  EXPECT_EQ(TextOf(answer), "stub: hi");
  EXPECT_EQ(*stub_->Requests().back()->Header("x-api-key"), "k");
}

TEST_F(ClaudeStubTest, TakesABearerTokenInPlaceOfTheKey) {
  const std::string body = MessageBody("hi");
  const auto with = [&](std::string_view headers) {
    return Exchange(fmt::format("POST /v1/messages HTTP/1.1\r\nhost: x\r\n{}anthropic-version: 2026-10-21\r\n"
                                "content-length: {}\r\n\r\n{}",
                                headers, body.size(), body))
        .status;
  };
  EXPECT_EQ(with("authorization: bearer token\r\n"), 200);
  EXPECT_EQ(with("authorization: Bearer invalid\r\n"), 401);
  EXPECT_EQ(with("authorization: Basic token\r\n"), 401);
  EXPECT_EQ(with("authorization: Bearer token\r\nx-api-key: invalid\r\n"), 401) << "the key wins";
  EXPECT_EQ(with(""), 401);
}

TEST_F(ClaudeStubTest, ReadsAChunkedBodyThatIsCutInsideACodePoint) {
  std::string request =
      "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\nanthropic-version: 2026-10-21\r\n"
      "transfer-encoding: chunked\r\n\r\n";
  for (const char byte : MessageBody("नमस्ते 🏥")) request += fmt::format("1;x=y\r\n{}\r\n", byte);
  request += "0\r\nTrailer: z\r\n\r\n";
  EXPECT_EQ(TextOf(Exchange(request)), "stub: नमस्ते 🏥");
}

TEST_F(ClaudeStubTest, ChecksInTheVendorsOrder) {
  // Every request breaks its own rule and all rules after it.
  struct Case {
    std::string_view headers, body;
    int status;
    std::string_view message;
  };
  constexpr std::string_view kKey = "x-api-key: k\r\n", kRight = "x-api-key: k\r\nanthropic-version: 2026-10-21\r\n";
  const Case cases[] = {
      {"x-api-key: invalid\r\n", "{", 401, "invalid x-api-key"},
      {kKey, "{", 400, "anthropic-version"},
      {kRight, "{", 400, "not valid JSON"},
      {kRight, "[]", 400, "not a JSON object"},
      {kRight, R"({"max_tokens":"8","messages":[],"top_k":1})", 400, "model"},
      {kRight, R"({"model":"old","max_tokens":8.5,"messages":[],"top_k":1})", 400, "max_tokens"},
      {kRight, R"({"model":"old","max_tokens":8,"top_k":1})", 400, "messages: an array"},
      {kRight, R"({"model":"old","max_tokens":8,"messages":[],"top_k":1})", 400, "messages: at least one"},
      {kRight, R"({"model":"old","max_tokens":8,"messages":[{"role":"x","content":"y"}],"top_k":1})", 400, "role"},
      {kRight,
       R"({"model":"old","max_tokens":8,"top_k":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b","input":{}}]}]})",
       400, "top_k"},
      {kRight,
       R"({"model":"old","max_tokens":8,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b","input":{}}]}]})",
       400, "tool_result"},
      {kRight, R"({"model":"claude-sonnet-4-20250514","max_tokens":8,"messages":[{"role":"user","content":"y"}]})", 404,
       "claude-sonnet-4-20250514"},
  };
  for (const Case& check : cases) {
    const RawAnswer answer =
        Exchange(fmt::format("POST /v1/messages HTTP/1.1\r\nhost: x\r\n{}content-length: {}\r\n\r\n{}", check.headers,
                             check.body.size(), check.body));
    EXPECT_EQ(answer.status, check.status) << check.message;
    const json::value body = json::parse(answer.body);
    EXPECT_THAT(std::string(body.at("error").at("message").as_string()), HasSubstr(std::string(check.message)));
    EXPECT_EQ(body.at("request_id").as_string(), answer.headers.at("request-id"));
    EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  }
}

TEST_F(ClaudeStubTest, RefusesHostileJsonWithoutHarm) {
  for (const std::string& body :
       {std::string(100'000, '['), std::string("{\"model\":\"\xff\"}"), std::string(), std::string("null")}) {
    EXPECT_EQ(Exchange(PostRequest(kPath, body)).status, 400);
  }
  EXPECT_EQ(TextOf(Say("still there")), "stub: still there");
}

TEST_F(ClaudeStubTest, PutsAFaultBeforeEveryCheck) {
  ASSERT_TRUE(stub_->Inject({.status = 503}).ok());
  EXPECT_EQ(Exchange("GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n").status, 503);
  EXPECT_EQ(Exchange("GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n").status, 404);
}

TEST_F(ClaudeStubTest, AnswersALargeBodyAndServesTheConnectionOn) {
  RawClient client(stub_->port());
  const std::string large(kMaxBody + 1, 'x');
  const RawAnswer refused = Exchange(client, PostRequest(kPath, large));
  EXPECT_EQ(refused.status, 413);
  EXPECT_THAT(refused.body, HasSubstr("request_too_large"));
  EXPECT_EQ(stub_->Requests().back()->body, nullptr);
  EXPECT_EQ(TextOf(Exchange(client, PostRequest(kPath, MessageBody("hi")))), "stub: hi");
}

TEST_F(ClaudeStubTest, AnswersALargeChunkedBody) {
  RawClient client(stub_->port());
  ASSERT_TRUE(client.Send("POST /v1/messages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"));
  const std::string chunk = fmt::format("100000\r\n{}\r\n", std::string(1u << 20, 'x'));
  for (int i = 0; i < 33; ++i) ASSERT_TRUE(client.Send(chunk));
  const RawAnswer refused = Exchange(client, "0\r\n\r\n");
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(TextOf(Exchange(client, PostRequest(kPath, MessageBody("hi")))), "stub: hi");
}

TEST_F(ClaudeStubTest, TakesABodyOfExactlyTheLimit) {
  std::string body = MessageBody("hi");
  body.append(kMaxBody - body.size(), ' ');
  EXPECT_EQ(TextOf(Exchange(PostRequest(kPath, body))), "stub: hi");
}

TEST_F(ClaudeStubTest, SaysContinueToAClientThatWaitsForIt) {
  RawClient client(stub_->port());
  const std::string body = MessageBody("hi");
  ASSERT_TRUE(client.Send(
      fmt::format("POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\nanthropic-version: 2026-10-21\r\n"
                  "expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
                  body.size())));
  EXPECT_TRUE(client.ReadUntil("100 Continue\r\n\r\n").has_value());
  EXPECT_EQ(TextOf(Exchange(client, body)), "stub: hi");
}

TEST_F(ClaudeStubTest, AnswersPipelinedRequestsInOrder) {
  RawClient client(stub_->port());
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += PostRequest(kPath, MessageBody(fmt::format("{}", i)));
  ASSERT_TRUE(client.Send(requests));
  std::set<std::string> ids;
  for (int i = 0; i < 50; ++i) {
    const auto answer = client.Read();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(TextOf(*answer), fmt::format("stub: {}", i));
    ids.insert(answer->headers.at("request-id"));
  }
  EXPECT_EQ(ids.size(), 50u);
}

TEST_F(ClaudeStubTest, RefusesWhatIsNotHttpWithAnAnswer) {
  RawClient client(stub_->port());
  ASSERT_TRUE(client.Send("\x16\x03\x01\x02 not http at all\r\n\r\n"));
  const auto answer = client.Read();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(answer->headers.at("connection"), "close");
}

TEST_F(ClaudeStubTest, StreamsToAnOldClientWithoutChunks) {
  RawClient client(stub_->port());
  const std::string body = MessageBody("hi", true);
  ASSERT_TRUE(
      client.Send(fmt::format("POST /v1/messages HTTP/1.0\r\nx-api-key: k\r\nanthropic-version: 2026-10-21\r\n"
                              "content-length: {}\r\n\r\n{}",
                              body.size(), body)));
  const auto text = client.ReadToEnd();
  ASSERT_TRUE(text.has_value());
  EXPECT_THAT(*text, testing::Not(HasSubstr("transfer-encoding")));
  EXPECT_TRUE(text->ends_with("data: {\"type\":\"message_stop\"}\n\n"));
}

TEST_F(ClaudeStubTest, DisconnectsWithoutAByte) {
  ASSERT_TRUE(stub_->Inject({.mode = Fault::Mode::kDisconnect}).ok());
  RawClient client(stub_->port());
  ASSERT_TRUE(client.Send(PostRequest(kPath, MessageBody("hi"))));
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(ClaudeStubTest, TruncatesAStreamAfterSoManyDeltas) {
  ASSERT_TRUE(stub_->Inject({.mode = Fault::Mode::kTruncate, .after_deltas = 2}).ok());
  RawClient client(stub_->port());
  ASSERT_TRUE(client.Send(PostRequest(kPath, MessageBody("one two three four", true))));
  const auto text = client.ReadToEnd();
  ASSERT_TRUE(text.has_value());
  std::size_t deltas = 0;
  for (std::size_t at = 0; (at = text->find("event: content_block_delta", at)) != std::string::npos; ++at) ++deltas;
  EXPECT_EQ(deltas, 2u);
  EXPECT_FALSE(text->ends_with("0\r\n\r\n"));
  EXPECT_THAT(*text, testing::Not(HasSubstr("message_stop")));
}

TEST_F(ClaudeStubTest, CutsBeforeTheEndWhenThereAreFewerDeltas) {
  ASSERT_TRUE(stub_->Inject({.mode = Fault::Mode::kSseError, .status = 529, .after_deltas = 1000}).ok());
  const RawAnswer answer = Exchange(PostRequest(kPath, MessageBody("hi", true)));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body,
              HasSubstr("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\""));
  EXPECT_THAT(answer.body, testing::Not(HasSubstr("message_delta")));
}

TEST_F(ClaudeStubTest, UsesAFaultAsOftenAsItSaysAndOnItsPathOnly) {
  ASSERT_TRUE(stub_->Inject({.times = 2, .path = std::string(kPath), .status = 529}).ok());
  EXPECT_EQ(Exchange(PostRequest("/v1/messages/count_tokens", MessageBody("hi"))).status, 200);
  EXPECT_EQ(Exchange(PostRequest("/v1/messages?beta=true", MessageBody("hi"))).status, 529);
  EXPECT_EQ(Say("hi").status, 529);
  EXPECT_EQ(Say("hi").status, 200);
}

TEST_F(ClaudeStubTest, EndsWhileConnectionsHangAndStall) {
  ASSERT_TRUE(stub_->Inject({.mode = Fault::Mode::kHang, .times = 5}).ok());
  ASSERT_TRUE(stub_->Inject({.mode = Fault::Mode::kStall, .times = 1}).ok());
  ASSERT_TRUE(stub_->Inject({.mode = Fault::Mode::kDelay, .times = 1, .delay = std::chrono::hours(1)}).ok());
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 7; ++i) {
    clients.push_back(std::make_unique<RawClient>(stub_->port()));
    ASSERT_TRUE(clients.back()->Send(PostRequest(kPath, MessageBody("hi", true))));
  }
  ASSERT_TRUE(stub_->WaitForRequests(7, 30s));
  stub_.reset();
  EXPECT_FALSE(clients.front()->Read().has_value());
}

TEST_F(ClaudeStubTest, ServesManyConnectionsOnSeveralThreads) {
  Restart({.threads = 3});
  constexpr int kConnections = 200;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kConnections; ++i) {
    clients.push_back(std::make_unique<RawClient>(stub_->port()));
    ASSERT_TRUE(clients.back()->Send(PostRequest(kPath, MessageBody(fmt::format("{}", i), i % 2 == 0))));
  }
  for (int i = 0; i < kConnections; ++i) {
    const auto answer = clients[static_cast<std::size_t>(i)]->Read();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, 200);
    if (i % 2 != 0) {
      EXPECT_EQ(TextOf(*answer), fmt::format("stub: {}", i));
    }
  }
  EXPECT_EQ(stub_->request_count(), static_cast<std::uint64_t>(kConnections));
}

TEST_F(ClaudeStubTest, KeepsTheLastThousandRequests) {
  Restart({.keep_bodies = false});
  RawClient client(stub_->port());
  const std::string request = PostRequest(kPath, MessageBody("hi"));
  for (int i = 0; i < 1'010; ++i) ASSERT_EQ(Exchange(client, request).status, 200);
  EXPECT_EQ(stub_->Requests().size(), 1'000u);
  EXPECT_EQ(stub_->request_count(), 1'010u);
  EXPECT_EQ(stub_->Requests().front()->body, nullptr);
  stub_->Reset();
  EXPECT_TRUE(stub_->Requests().empty());
}

TEST_F(ClaudeStubTest, ResetLeavesTheScript) {
  ASSERT_TRUE(stub_->LoadScriptJson(R"([{"contains":"Hours","text":"Nine to five."}])").ok());
  ASSERT_TRUE(stub_->QueueText("queued").ok());
  ASSERT_TRUE(stub_->Inject({}).ok());
  stub_->Reset();
  EXPECT_EQ(TextOf(Say("your HOURS?")), "Nine to five.");
  EXPECT_EQ(TextOf(Say("else")), "stub: else");
}

TEST_F(ClaudeStubTest, AnswersTheLastTextBlockOfTheUser) {
  const std::string body =
      R"({"model":"claude-haiku-5-5","max_tokens":8,"messages":[{"role":"user","content":[{"type":"text","text":"today"},)"
      R"({"type":"text","text":"hi"}]},{"role":"assistant","content":"x"}]})";
  EXPECT_EQ(TextOf(Exchange(PostRequest(kPath, body))), "stub: hi");
}

TEST_F(ClaudeStubTest, IsSteeredOverHttp) {
  const auto control = [&](std::string_view action, std::string_view body) {
    return Exchange(
        fmt::format("POST /__stub/{} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{}", action, body.size(), body));
  };
  EXPECT_EQ(control("reply", R"({"content":[{"type":"text","text":"queued"}]})").body, "{}");
  EXPECT_EQ(TextOf(Say("hi")), "queued");
  EXPECT_EQ(control("inject", R"({"status":429,"headers":{"Retry-After":"1"}})").body, "{}");
  const RawAnswer limited = Say("hi");
  EXPECT_EQ(limited.status, 429);
  EXPECT_EQ(limited.headers.at("retry-after"), "1");

  EXPECT_EQ(control("nothing", "{}").status, 404);
  EXPECT_EQ(control("requests", "{}").status, 405);
  EXPECT_EQ(control("inject", "{").status, 400);
  EXPECT_THAT(control("inject", R"({"mode":"explode"})").body, HasSubstr("mode: expected http"));
  EXPECT_THAT(control("inject", R"({"satus":500})").body, HasSubstr("not known"));
  EXPECT_EQ(control("inject", R"({"headers":{"x":"a\r\nb: c"}})").status, 400);
  EXPECT_EQ(control("inject", R"({"headers":{"content-length":"1"}})").status, 400);
  EXPECT_EQ(control("reply", R"({"content":[1]})").status, 400);
  EXPECT_EQ(control("script", R"([{"contains":"x"}])").status, 400);
  EXPECT_EQ(Say("hi").status, 200) << "a refused fault is not queued";

  const json::value log = json::parse(Exchange("GET /__stub/requests HTTP/1.1\r\nhost: x\r\n\r\n").body);
  EXPECT_EQ(log.at("total").to_number<int>(), 3) << "the control plane is not in the log";
  EXPECT_EQ(log.at("requests").at(0).at("body").at("messages").at(0).at("content").as_string(), "hi");
  EXPECT_EQ(control("reset", "").body, "{}");
  EXPECT_EQ(stub_->request_count(), 0u);
}

TEST_F(ClaudeStubTest, SaysWhenItsPortIsTaken) {
  const auto second = ClaudeStub::Start({.port = stub_->port()});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace medidesk::claude_stub
