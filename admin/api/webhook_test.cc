// The webhook behind a real server: every row of its contract, over sockets.
#include "admin/api/webhook.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "admin/api/health.h"
#include "admin/api/testing/fake_reply_backend.h"
#include "admin/api/testing/jwt_maker.h"
#include "admin/http/testing/raw_client.h"
#include "base/io_threads.h"

namespace medidesk::admin {
namespace {

using http::RawClient;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kPath = "/functions/v1/whatsapp-webhook";
constexpr std::string_view kHello = R"({"phone":"+1234567890","message":"Hello","messageId":"wa-1"})";

struct FixedHealth final : HealthSource {
  HealthSnapshot Snapshot() const override { return {.services = {{.name = "store", .up = up}}, .numbers = {}}; }
  std::atomic<bool> up{true};
};

class WebhookTest : public testing::Test {
 protected:
  void Start(CredentialOptions credentials = {}, Webhook::Options options = {}) {
    credentials_ = *WebhookCredentials::Create(credentials);
    webhook_ = std::make_unique<Webhook>(*credentials_, backend_, std::move(options));
    http::Router router;
    webhook_->AddRoutes(router);
    AddHealthRoutes(router, health_);
    AddMetricsRoute(router, {registry_}, [this] { metrics_->Refresh(*server_); });
    metrics_ = std::make_unique<AdminMetrics>(*registry_, router.Patterns());
    webhook_->SetMetrics(metrics_.get());
    http::Server::Options server;
    server.on_response = [this](const http::Request& request, http::Response& response) {
      webhook_->Decorate(request, response);
    };
    server.on_answered = [this](const http::Server::Answered& answered) { metrics_->OnAnswered(answered); };
    server_ = *http::Server::Listen(io_.executor(), std::move(server), std::move(router));
    client_ = std::make_unique<RawClient>(server_->port());
  }

  RawClient::Answer Send(std::string_view method, std::string_view path, std::string_view body,
                         std::string_view headers = "") {
    std::string request = std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n";
    request += headers;
    request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
    return Checked(client_->Ask(request));
  }
  RawClient::Answer Post(std::string_view body, std::string_view headers = "") {
    return Send("POST", kPath, body, headers);
  }
  std::string Get(std::string_view path) {
    return client_->Ask("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n").body;
  }

  // What holds for every answer of the webhook.
  static RawClient::Answer Checked(RawClient::Answer answer) {
    EXPECT_EQ(answer.headers["access-control-allow-origin"], "*") << answer.status;
    EXPECT_EQ(answer.headers["access-control-expose-headers"], "x-request-id, retry-after");
    EXPECT_EQ(answer.headers.count("access-control-allow-credentials"), 0u);
    EXPECT_EQ(answer.headers.count("x-relay-error"), 0u);
    if (answer.status != 204) {
      EXPECT_EQ(answer.headers["content-type"], "application/json");
      boost::system::error_code error;
      const auto json = boost::json::parse(answer.body, error);
      EXPECT_FALSE(error);
      EXPECT_EQ(json.at("success").as_bool(), answer.status == 200);
      if (answer.status != 200) {
        EXPECT_TRUE(json.at("error").is_string());
        EXPECT_EQ(json.at("requestId").as_string(), answer.headers["x-request-id"]);
      }
    }
    if (answer.status == 429 || answer.status == 503) {
      EXPECT_GE(std::atoi(answer.headers["retry-after"].c_str()), 1);
    }
    return answer;
  }
  static std::string Code(const RawClient::Answer& answer) {
    boost::system::error_code error;
    const auto json = boost::json::parse(answer.body, error);
    if (error || !json.is_object() || !json.as_object().contains("code")) return "none";
    return std::to_string(answer.status) + " " + std::string(json.at("code").as_string().c_str());
  }

  IoThreads io_{2};
  FakeReplyBackend backend_;
  FixedHealth health_;
  const std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  std::unique_ptr<AdminMetrics> metrics_;
  std::unique_ptr<WebhookCredentials> credentials_;
  std::unique_ptr<Webhook> webhook_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<RawClient> client_;
  // The loop's threads end before what they use.
  struct Stopper {
    IoThreads& io;
    ~Stopper() { io.Stop(); }
  } stopper_{io_};
};

TEST_F(WebhookTest, AnswersAMessage) {
  Start();
  const auto answer = Post(R"({"phone":"+1 (234) 567-890","message":"Hello","messageId":"wa-1",)"
                           R"("timestamp":"2024-01-15T10:30:00Z","extra":{"a":1}})",
                           "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            R"({"success":true,"response":"You said: Hello","conversationId":"6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01",)"
            R"("messageId":"wa-1","status":"active","duplicate":false})");
  const auto calls = backend_.calls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].phone.E164(), "+1234567890");
  EXPECT_EQ(calls[0].text.Expose(), "Hello");
  EXPECT_EQ(calls[0].message_id, "wa-1");
  EXPECT_TRUE(calls[0].timestamp.has_value());
  EXPECT_EQ(calls[0].trace.trace_id, "0af7651916cd43dd8448eb211c80319c");
}

TEST_F(WebhookTest, AnswersOnEachOfItsPaths) {
  Start();
  for (const char* path : {"/functions/v1/whatsapp-webhook", "/whatsapp-webhook", "/whatsapp-webhook/",
                           "/functions/v1/whatsapp-webhook/", "/whatsapp-webhook?forceFunctionRegion=eu-west-1"}) {
    EXPECT_EQ(Send("POST", path, R"({"phone":12345678,"message":"Hi"})", "Content-Type: text/plain\r\n").status, 200)
        << path;
  }
  EXPECT_EQ(backend_.calls().back().message_id, "");
}

TEST_F(WebhookTest, SendsNoResponseInATakeover) {
  Start();
  backend_.Answer({.conversation_id = "c-1",
                   .response = std::nullopt,
                   .status = "human_takeover",
                   .message_id = "",
                   .duplicate = true});
  const auto answer = Post(kHello);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"success":true,"response":null,"conversationId":"c-1","messageId":"wa-1",)"
                         R"("status":"human_takeover","duplicate":true})");
}

TEST_F(WebhookTest, RefusesBadBodies) {
  Start();
  const std::string valid(kHello);
  EXPECT_EQ(Code(Post("")), "400 EMPTY_BODY");
  EXPECT_EQ(Code(Post("[]")), "400 INVALID_BODY");
  EXPECT_EQ(Code(Post(valid.substr(0, 20))), "400 INVALID_JSON");
  EXPECT_EQ(Code(Post("\xff\xfe")), "400 INVALID_JSON");
  EXPECT_EQ(Code(Post(R"({"message":"Hello"})")), "400 INVALID_PHONE");
  EXPECT_EQ(Code(Post(R"({"phone":{},"message":"Hello"})")), "400 INVALID_PHONE");
  EXPECT_EQ(Code(Post(R"({"phone":"+1234567890"})")), "400 INVALID_MESSAGE");
  EXPECT_EQ(Code(Post(R"({"phone":"+1234567890","message":5})")), "400 INVALID_MESSAGE");
  EXPECT_EQ(Code(Post(R"({"phone":"+1234567890","message":" \n"})")), "400 INVALID_MESSAGE");
  EXPECT_EQ(Code(Post(R"({"phone":"+1234567890","message":")" + std::string(4097, 'a') + "\"}")),
            "400 MESSAGE_TOO_LONG");
  EXPECT_EQ(Code(Post(R"({"phone":"+1234567890","message":"m","messageId":[]})")), "400 INVALID_MESSAGE_ID");
  EXPECT_EQ(Code(Post(valid, "Content-Type: multipart/form-data; boundary=x\r\n")), "415 UNSUPPORTED_MEDIA_TYPE");
  EXPECT_TRUE(backend_.calls().empty());
}

TEST_F(WebhookTest, RefusesOversizeBodiesBothWays) {
  Start();
  const std::string body(1'100'000, 'x');
  EXPECT_EQ(Code(Post(body)), "413 BODY_TOO_LARGE");
  ASSERT_TRUE(
      client_->Send("POST /functions/v1/whatsapp-webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client_->Send("10000\r\n" + body.substr(0, 65536) + "\r\n"));
  ASSERT_TRUE(client_->Send("0\r\n\r\n"));
  EXPECT_EQ(Code(Checked(client_->Read())), "413 BODY_TOO_LARGE");
  EXPECT_EQ(Post(kHello).status, 200);
}

TEST_F(WebhookTest, AnswersOtherMethodsAndFunctions) {
  Start();
  for (const char* method : {"GET", "PUT", "PATCH", "DELETE", "BREW"}) {
    const auto answer = Send(method, kPath, "");
    EXPECT_EQ(Code(answer), "405 METHOD_NOT_ALLOWED") << method;
    EXPECT_EQ(answer.headers.at("allow"), "POST, OPTIONS");
  }
  EXPECT_EQ(Code(Send("POST", "/functions/v1/other", kHello)), "404 NOT_FOUND");
  EXPECT_EQ(Code(Send("GET", "/functions/v1/", "")), "404 NOT_FOUND");
  EXPECT_EQ(Code(Send("POST", "/functions/v1/whatsapp-webhook/health", kHello)), "404 NOT_FOUND");
}

TEST_F(WebhookTest, PassesAPreflightBeforeAnyKeyCheck) {
  Start({.webhook_key = "secret-key"});
  for (const char* path : {"/functions/v1/whatsapp-webhook", "/whatsapp-webhook", "/functions/v1/other"}) {
    auto answer = Send("OPTIONS", path, "",
                       "Origin: https://desk.example\r\nAccess-Control-Request-Method: POST\r\n"
                       "Access-Control-Request-Headers: apikey,authorization,content-type,x-client-info\r\n");
    EXPECT_EQ(answer.status, 204) << path;
    EXPECT_EQ(answer.headers["access-control-allow-headers"],
              "authorization, x-client-info, apikey, content-type, x-retry-count, x-region, traceparent, tracestate, "
              "baggage");
    EXPECT_EQ(answer.headers["access-control-allow-methods"], "POST, OPTIONS");
    EXPECT_EQ(answer.headers["access-control-max-age"], "7200");
  }
}

TEST_F(WebhookTest, EchoesAnAllowedOrigin) {
  Start({}, {.allowed_origins = "https://a.example, https://b.example/"});
  const auto ask = [this](std::string_view origin) {
    return client_->Ask("OPTIONS /whatsapp-webhook HTTP/1.1\r\nHost: x\r\nOrigin: " + std::string(origin) + "\r\n\r\n");
  };
  EXPECT_EQ(ask("https://b.example").headers["access-control-allow-origin"], "https://b.example");
  EXPECT_EQ(ask("https://b.example").headers["vary"], "Origin");
  EXPECT_EQ(ask("https://c.example").headers.count("access-control-allow-origin"), 0u);
}

TEST_F(WebhookTest, WantsACredentialWhereOneIsConfigured) {
  const std::string secret = "a-secret-of-this-project-with-32-characters";
  Start({.webhook_key = "key-one,key-two", .supabase_jwt_secret = secret});
  EXPECT_EQ(Code(Post(kHello)), "401 UNAUTHORIZED");
  EXPECT_EQ(Code(Post(kHello, "apikey: wrong\r\n")), "401 UNAUTHORIZED");
  EXPECT_EQ(Code(Post(kHello, "Authorization: Bearer a.b.c\r\napikey: key-one\r\n")), "401 UNAUTHORIZED");
  EXPECT_EQ(Code(Post(kHello, "Authorization: Bearer " + MakeHs256(secret, R"({"role":"anon","exp":1})") + "\r\n")),
            "401 UNAUTHORIZED");
  EXPECT_EQ(Code(Post("not json", "")), "401 UNAUTHORIZED");  // the key comes before the body
  EXPECT_TRUE(backend_.calls().empty());
  EXPECT_EQ(Post(kHello, "apikey: key-two\r\n").status, 200);
  EXPECT_EQ(Post(kHello, "Authorization: Bearer key-one\r\n").status, 200);
  EXPECT_EQ(
      Post(kHello, "Authorization: Bearer " + MakeHs256(secret, R"({"role":"anon","exp":9999999999})") + "\r\n").status,
      200);
}

TEST_F(WebhookTest, TellsFailuresApartWithoutDetail) {
  Start();
  using absl::StatusCode;
  for (const auto& [code, expected] :
       {std::pair{StatusCode::kResourceExhausted, "503 OVERLOADED"},
        std::pair{StatusCode::kUnavailable, "503 UNAVAILABLE"}, std::pair{StatusCode::kCancelled, "503 UNAVAILABLE"},
        std::pair{StatusCode::kDeadlineExceeded, "503 TIMEOUT"}, std::pair{StatusCode::kAborted, "409 IN_PROGRESS"},
        std::pair{StatusCode::kInvalidArgument, "400 INVALID_REQUEST"},
        std::pair{StatusCode::kUnauthenticated, "500 INTERNAL"},
        std::pair{StatusCode::kPermissionDenied, "500 INTERNAL"}, std::pair{StatusCode::kInternal, "500 INTERNAL"}}) {
    backend_.Fail(Error(code, "secret of the backend"));
    const auto answer = Post(kHello);
    EXPECT_EQ(Code(answer), expected);
    EXPECT_THAT(answer.body, Not(HasSubstr("secret")));
  }
  backend_.Throw();
  EXPECT_EQ(Code(Post(kHello)), "500 INTERNAL");
}

TEST_F(WebhookTest, AnswersWithinItsBudget) {
  Start({}, {.budget = 50ms});
  backend_.Hang();
  EXPECT_EQ(Code(Post(kHello)), "503 TIMEOUT");
  EXPECT_EQ(backend_.cancelled(), 1);
  EXPECT_THAT(Get("/metrics"), HasSubstr("medidesk_webhook_timeouts_total 1"));
}

TEST_F(WebhookTest, LimitsEachPhone) {
  const auto now = std::chrono::steady_clock::now();
  Webhook::Options options;
  options.per_phone = {.per_second = 0.1, .burst = 2, .max_keys = 100};
  options.now = [now] { return now; };
  Start({}, options);
  EXPECT_EQ(Post(kHello).status, 200);
  EXPECT_EQ(Post(R"({"phone":"1 234 567 890","message":"Hello"})").status, 200);
  const auto answer = Post(kHello);
  EXPECT_EQ(Code(answer), "429 RATE_LIMITED");
  EXPECT_EQ(answer.headers.at("retry-after"), "10");
  EXPECT_EQ(Post(R"({"phone":"+9876543210","message":"Hello"})").status, 200);
  EXPECT_THAT(Get("/metrics"), HasSubstr(R"(medidesk_admin_http_rejected_total{limit="phone"} 1)"));
}

TEST_F(WebhookTest, LimitsEachCredential) {
  const auto now = std::chrono::steady_clock::now();
  Webhook::Options options;
  options.per_credential = {.per_second = 1, .burst = 1, .max_keys = 100};
  options.now = [now] { return now; };
  Start({.webhook_key = "key-one,key-two"}, options);
  EXPECT_EQ(Post(kHello, "apikey: key-one\r\n").status, 200);
  EXPECT_EQ(Code(Post(kHello, "apikey: key-one\r\n")), "429 RATE_LIMITED");
  EXPECT_EQ(Post(kHello, "apikey: key-two\r\n").status, 200);
}

TEST_F(WebhookTest, LimitsEachAddressButNotThisMachine) {
  const auto now = std::chrono::steady_clock::now();
  Webhook::Options options;
  options.per_address = {.per_second = 1, .burst = 1, .max_keys = 100};
  options.now = [now] { return now; };
  Start({}, options);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Post(kHello).status, 200);
  const std::string forwarded = "X-Forwarded-For: 10.0.0.1\r\n";
  EXPECT_EQ(Post(kHello, forwarded).status, 200);
  EXPECT_EQ(Code(Post(kHello, forwarded)), "429 RATE_LIMITED");
}

TEST_F(WebhookTest, CountsWhatItAnswers) {
  Start();
  Post(kHello);
  Post("nonsense");
  Send("GET", "/functions/v1/other", "");
  const std::string metrics = Get("/metrics");
  EXPECT_THAT(metrics, HasSubstr(R"(medidesk_webhook_requests_total{code="200"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(medidesk_webhook_requests_total{code="400"} 1)"));
  EXPECT_THAT(metrics, HasSubstr("medidesk_webhook_request_seconds_count 2"));
  EXPECT_THAT(metrics, HasSubstr(R"(medidesk_admin_http_requests_total{code="404",route="/functions/v1/*"} 1)"));
  EXPECT_THAT(metrics, HasSubstr("medidesk_admin_http_connections 1"));
  EXPECT_THAT(metrics, Not(HasSubstr("1234567890")));
}

TEST_F(WebhookTest, ShowsHealthBesideIt) {
  Start({.webhook_key = "key-one"});
  EXPECT_THAT(Get("/health"), HasSubstr(R"("status":"running")"));
  EXPECT_EQ(Get("/livez"), R"({"status":"alive"})");
  EXPECT_EQ(Get("/readyz"), R"({"ready":true,"services":{"store":"up"}})");
  health_.up = false;
  const auto answer = client_->Ask("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, R"({"ready":false,"services":{"store":"down"}})");
  EXPECT_THAT(Get("/health"), HasSubstr(R"("status":"degraded")"));
}

}  // namespace
}  // namespace medidesk::admin
