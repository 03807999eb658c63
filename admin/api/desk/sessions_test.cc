// The dashboard's cookie and its guards, over services that are made up.
#include "admin/api/desk/sessions.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>

#include <map>

#include "admin/api/desk/pages.h"
#include "medidesk/store/v1/access.pb.h"

namespace medidesk::admin {
namespace {

namespace asio = boost::asio;
using absl::StatusCode;
using rest::MessagePtr;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kEmail[] = "anna@example.org", kPassword[] = "brown lamp river seven";

// One account; sessions "session-1", "session-2", ..., each with the secret "csrf-of-<session>".
class FakeAccess final : public rest::RpcBackend {
 public:
  std::map<std::string, bool> live;  // sessions, true while they live

  asio::awaitable<absl::StatusOr<MessagePtr>> Call(const google::protobuf::MethodDescriptor& method, MessagePtr request,
                                                   rest::CallContext) override {
    if (method.name() == "Login") {
      const auto& login = dynamic_cast<const store::v1::LoginRequest&>(*request);
      if (login.password().email() != kEmail || login.password().password() != kPassword) {
        co_return Error(StatusCode::kUnauthenticated, "mail address or password are not right");
      }
      auto response = std::make_unique<store::v1::LoginResponse>();
      response->set_session("session-" + std::to_string(live.size() + 1));
      response->set_csrf_token("csrf-of-" + response->session());
      response->mutable_staff()->set_role(store::v1::STAFF_ROLE_AGENT);
      live[response->session()] = true;
      co_return MessagePtr(std::move(response));
    }
    if (method.name() == "Logout") {
      live[dynamic_cast<const store::v1::LogoutRequest&>(*request).session()] = false;
      co_return MessagePtr(std::make_unique<store::v1::LogoutResponse>());
    }
    if (method.name() == "CheckSession") {
      const auto& check = dynamic_cast<const store::v1::CheckSessionRequest&>(*request);
      if (!live[check.session()]) co_return Error(StatusCode::kUnauthenticated, "the session has ended");
      if (!check.csrf_token().empty() && check.csrf_token() != "csrf-of-" + check.session()) {
        co_return Error(StatusCode::kPermissionDenied, "out of date");
      }
      auto response = std::make_unique<store::v1::CheckSessionResponse>();
      response->mutable_staff()->set_id("0190a000-0000-7000-8000-000000000001");
      response->mutable_staff()->set_role(store::v1::STAFF_ROLE_AGENT);
      co_return MessagePtr(std::move(response));
    }
    co_return Error(StatusCode::kUnimplemented, "");
  }
  std::unique_ptr<rest::MessageStream> Stream(const google::protobuf::MethodDescriptor&, MessagePtr,
                                              rest::CallContext) override {
    return nullptr;
  }
};

class SessionsTest : public ::testing::Test {
 protected:
  SessionsTest() : sessions_(access_, {}) { sessions_.AddRoutes(router_); }

  template <class T>
  T Run(asio::awaitable<T> work) {
    asio::io_context io;
    std::optional<T> result;
    asio::co_spawn(io, std::move(work), [&](std::exception_ptr, T value) { result = std::move(value); });
    io.run();
    return *std::move(result);
  }
  static http::Request Request(const std::string& method, const std::string& target, const std::string& body = "") {
    http::Request request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.peer = asio::ip::make_address("192.0.2.7");
    request.headers = {{"host", "desk.example.org"}};
    if (!body.empty()) request.headers.push_back({"content-type", "application/json"});
    return request;
  }
  http::Response Ask(http::Request request) {
    return Run(router_.Find(request.method, request.path()).route->handler(request));
  }
  static std::string Header(const http::Response& response, std::string_view name) {
    for (const auto& header : response.headers) {
      if (header.name == name) return header.value;
    }
    return {};
  }
  http::Request LoginRequest() {
    return Request("POST", "/desk/login", R"({"email":"anna@example.org","password":"brown lamp river seven"})");
  }
  absl::StatusOr<rest::Principal> Check(const http::Request& request, bool changes) {
    return Run(sessions_.Check(request, changes));
  }

  FakeAccess access_;
  Sessions sessions_;
  http::Router router_;
};

TEST_F(SessionsTest, TheCookieIsForThisServerAndNoScript) {
  const http::Response answer = Ask(LoginRequest());
  ASSERT_EQ(answer.status, 200);
  const std::string cookie = Header(answer, "set-cookie");
  EXPECT_THAT(cookie, HasSubstr("medidesk_session=session-1; Path=/; HttpOnly; SameSite=Strict"));
  EXPECT_THAT(cookie, Not(HasSubstr("Secure")));
  EXPECT_THAT(answer.body, HasSubstr("csrf-of-session-1"));
  EXPECT_THAT(answer.body, Not(HasSubstr("\"session-1\"")));
  http::Request https = LoginRequest();
  https.headers.push_back({"x-forwarded-proto", "https"});
  const std::string secure = Header(Ask(https), "set-cookie");
  EXPECT_THAT(secure, HasSubstr("__Host-medidesk_session="));
  EXPECT_THAT(secure, HasSubstr("; Secure"));
}

TEST_F(SessionsTest, ALoginNeverTakesOverTheSessionThatTheBrowserBrought) {
  access_.live["planted"] = true;
  http::Request request = LoginRequest();
  request.headers.push_back({"cookie", "a=b; medidesk_session=planted"});
  const http::Response answer = Ask(request);
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(Header(answer, "set-cookie"), Not(HasSubstr("planted")));
  EXPECT_FALSE(access_.live["planted"]);
}

TEST_F(SessionsTest, AChangeNeedsTheSessionsSecret) {
  Ask(LoginRequest());
  http::Request request = Request("POST", "/v1/x", "{}");
  request.headers.push_back({"cookie", "medidesk_session=session-1"});
  EXPECT_TRUE(Check(request, false).ok());
  EXPECT_EQ(Check(request, true).status().code(), StatusCode::kPermissionDenied);
  request.headers.push_back({"x-csrf-token", "csrf-of-session-2"});
  EXPECT_EQ(Check(request, true).status().code(), StatusCode::kPermissionDenied);
  request.headers.back().value = "csrf-of-session-1";
  const auto who = Check(request, true);
  ASSERT_TRUE(who.ok());
  EXPECT_EQ(who->role, store::v1::STAFF_ROLE_AGENT);
}

TEST_F(SessionsTest, RefusesWhatTheBrowserMarksAsAnotherSites) {
  Ask(LoginRequest());
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"sec-fetch-site", "cross-site"}, {"sec-fetch-site", "same-site"}, {"origin", "https://evil.example"}}) {
    http::Request request = Request("GET", "/v1/inbox");
    request.headers.push_back({"cookie", "medidesk_session=session-1"});
    request.headers.push_back({name, value});
    EXPECT_EQ(Check(request, false).status().code(), StatusCode::kPermissionDenied) << name << value;
    http::Request login = LoginRequest();
    login.headers.push_back({name, value});
    EXPECT_EQ(Ask(login).status, 403);
  }
  http::Request form = LoginRequest();
  form.headers.back().value = "text/plain";
  EXPECT_EQ(Ask(form).status, 400);
}

TEST_F(SessionsTest, APageWithoutASessionIsNobodyEvenOnThisMachine) {
  http::Request request = Request("GET", "/v1/inbox");
  request.headers.push_back({"x-csrf-token", ""});
  EXPECT_TRUE(sessions_.IsPresented(request));
  EXPECT_EQ(Check(request, false).status().code(), StatusCode::kUnauthenticated);
  EXPECT_FALSE(sessions_.IsPresented(Request("GET", "/v1/inbox")));
}

TEST_F(SessionsTest, LogoutEndsTheSessionAndTheCookie) {
  Ask(LoginRequest());
  http::Request request = Request("POST", "/desk/logout", "{}");
  request.headers.push_back({"cookie", "medidesk_session=session-1"});
  EXPECT_EQ(Ask(request).status, 403);
  EXPECT_TRUE(access_.live["session-1"]);
  request.headers.push_back({"x-csrf-token", "csrf-of-session-1"});
  const http::Response answer = Ask(request);
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(Header(answer, "set-cookie"), HasSubstr("medidesk_session=; Path=/"));
  EXPECT_FALSE(access_.live["session-1"]);
}

TEST_F(SessionsTest, HostileBodiesAndCookiesAreRefused) {
  for (const char* body : {"[]", "{", "null", "{\"email\":1,\"password\":[]}", "{\"email\":\"\\u0000\"}"}) {
    EXPECT_THAT(Ask(Request("POST", "/desk/login", body)).status, ::testing::AnyOf(400, 401)) << body;
  }
  EXPECT_EQ(Ask(Request("POST", "/desk/login", std::string(9000, ' '))).status, 400);
  for (const char* cookie : {"medidesk_session", "medidesk_session=", "=;=;;", "xmedidesk_session=session-1"}) {
    http::Request request = Request("GET", "/desk/session");
    request.headers.push_back({"cookie", cookie});
    EXPECT_EQ(Ask(request).status, 401) << cookie;
  }
}

TEST_F(SessionsTest, ASupabaseTokenOpensNothingUnlessSwitchedOn) {
  EXPECT_EQ(Ask(Request("POST", "/desk/login", R"({"supabaseToken":"a.b.c"})")).status, 401);
}

TEST(Pages, RunUnderAPolicyThatKnowsNoOtherOrigin) {
  http::Router router;
  AddPages(router);
  http::Request request;
  request.method = "GET";
  request.target = "/";
  request.headers = {{"accept-encoding", "br, gzip"}};
  asio::io_context io;
  std::optional<http::Response> answer;
  asio::co_spawn(io, router.Find("GET", "/").route->handler(request),
                 [&](std::exception_ptr, http::Response value) { answer = std::move(value); });
  io.run();
  ASSERT_TRUE(answer && answer->status == 200);
  std::string policy, encoding;
  for (const auto& header : answer->headers) {
    if (header.name == "content-security-policy") policy = header.value;
    if (header.name == "content-encoding") encoding = header.value;
  }
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("http")));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_EQ(encoding, "gzip");
  std::size_t first = 0;
  for (const WebFile& file : WebFiles()) {
    EXPECT_THAT(std::string(file.bytes), Not(HasSubstr("<script>"))) << file.path;
    if (file.path == "/index.html" || file.path.starts_with("/assets/index-")) {
      first += file.gzip.empty() ? file.bytes.size() : file.gzip.size();
    }
  }
  EXPECT_LT(first, 150'000U);
}

}  // namespace
}  // namespace medidesk::admin
