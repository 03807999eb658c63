#include "admin/api/desk/sessions.h"

#include <boost/json.hpp>

#include <algorithm>
#include <chrono>

#include "admin/api/rest/rest_error.h"
#include "admin/api/rest/transcoder.h"
#include "base/rpc/error_details.h"
#include "medidesk/store/v1/access.pb.h"

namespace medidesk::admin {

namespace asio = boost::asio;
namespace json = boost::json;
using absl::StatusCode;
using rest::MessagePtr;

namespace {

constexpr std::string_view kCookie = "medidesk_session", kHostCookie = "__Host-medidesk_session";
constexpr std::size_t kMaxBody = 8192;       // bytes
constexpr int kLongestSession = 7 * 86'400;  // seconds; the store ends it earlier

absl::Status NoSession() { return Error(StatusCode::kUnauthenticated, "the session has ended; log in again"); }

// The members of a small JSON object of texts and booleans.
absl::StatusOr<json::object> ReadBody(const http::Request& request) {
  const std::string_view type = request.Find("content-type");
  if (type.substr(0, type.find(';')) != "application/json") {
    return rpc::InvalidField("content-type", "expected application/json");
  }
  if (request.body.size() > kMaxBody) return rpc::InvalidField("body", "at most 8192 bytes");
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 2;
  json::value value =
      json::parse(boost::core::string_view(request.body.data(), request.body.size()), error, {}, options);
  if (error || !value.is_object()) return rpc::InvalidField("body", "expected a JSON object");
  return std::move(value.get_object());
}

std::string Member(const json::object& object, const char* name) {
  const json::value* found = object.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

http::Response Failed(const http::Request& request, const absl::Status& status) {
  if (status.code() == StatusCode::kUnauthenticated) return rest::ErrorAs(401, status);
  if (status.code() == StatusCode::kResourceExhausted && rpc::Reason(status) == "LOCKED_OUT") {
    http::Response answer = rest::ErrorAs(429, status);
    const auto delay = rpc::RetryDelay(status).value_or(std::chrono::seconds(60));
    answer.Add("retry-after", std::to_string(std::chrono::ceil<std::chrono::seconds>(delay).count()));
    return answer;
  }
  return rest::ErrorOf(request, status);
}

http::Response Shown(const google::protobuf::Message& message) {
  const absl::StatusOr<std::string> body = rest::WriteJson(message);
  if (!body.ok()) return rest::ErrorAs(500, body.status());
  http::Response answer = http::JsonResponse(200, *body);
  answer.Add("cache-control", "no-store");
  answer.Add("x-content-type-options", "nosniff");
  return answer;
}

absl::Status CheckSite(const http::Request& request) {
  return rest::IsOfThisSite(request) ? absl::OkStatus()
                                     : Error(StatusCode::kPermissionDenied, "the request comes from another site");
}

}  // namespace

void Sessions::AddRoutes(http::Router& router) {
  router.Add("POST", "/desk/login", [this](http::Request& request) { return Login(request); });
  router.Add("POST", "/desk/logout", [this](http::Request& request) { return Logout(request); });
  router.Add("GET", "/desk/session", [this](http::Request& request) { return Session(request); });
  router.Add("POST", "/desk/password", [this](http::Request& request) { return Password(request); });
}

bool Sessions::IsHttps(const http::Request& request) const {
  return options_.https || request.Find("x-forwarded-proto") == "https";
}

std::string_view Sessions::CookieName(const http::Request& request) const {
  return IsHttps(request) ? kHostCookie : kCookie;
}

std::string Sessions::Cookie(const http::Request& request) const {
  const std::string_view name = CookieName(request);
  for (const http::Request::Header& header : request.headers) {
    if (header.name != "cookie") continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      std::string_view pair = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      while (pair.starts_with(' ')) pair.remove_prefix(1);
      if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
        return std::string(pair.substr(name.size() + 1));
      }
    }
  }
  return {};
}

void Sessions::SetCookie(const http::Request& request, std::string_view secret, http::Response& response) const {
  std::string cookie(CookieName(request));
  cookie += '=';
  cookie += secret;
  cookie += "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(secret.empty() ? 0 : kLongestSession);
  if (IsHttps(request)) cookie += "; Secure";
  response.Add("set-cookie", std::move(cookie));
}

bool Sessions::IsPresented(const http::Request& request) const {
  const bool page = std::any_of(request.headers.begin(), request.headers.end(),
                                [](const http::Request::Header& header) { return header.name == "x-csrf-token"; });
  return page || !Cookie(request).empty();
}

asio::awaitable<absl::StatusOr<MessagePtr>> Sessions::Ask(const http::Request& request, const char* rpc,
                                                          MessagePtr message) {
  const auto* const method =
      store::v1::LoginRequest::descriptor()->file()->FindServiceByName("AccessService")->FindMethodByName(rpc);
  std::optional<TraceContext> trace = TraceContext::Parse(request.Find("traceparent"));
  rest::CallContext context;
  context.trace = trace ? *std::move(trace) : TraceContext::New();
  co_return co_await backend_.Call(*method, std::move(message), std::move(context));
}

asio::awaitable<absl::StatusOr<rest::Principal>> Sessions::Check(const http::Request& request, bool changes) {
  if (const absl::Status site = CheckSite(request); !site.ok()) co_return site;
  const std::string secret = Cookie(request);
  if (secret.empty()) co_return NoSession();
  const std::string_view csrf = request.Find("x-csrf-token");
  if (changes && csrf.empty()) {
    co_return rpc::WithReason(Error(StatusCode::kPermissionDenied, "send the session's X-CSRF-Token"), "CSRF");
  }
  auto check = std::make_unique<store::v1::CheckSessionRequest>();
  check->set_session(secret);
  if (changes) check->set_csrf_token(std::string(csrf));
  MessagePtr message = std::move(check);
  const absl::StatusOr<MessagePtr> answer = co_await Ask(request, "CheckSession", std::move(message));
  if (!answer.ok()) co_return answer.status();
  const auto& checked = dynamic_cast<const store::v1::CheckSessionResponse&>(**answer);
  rest::Principal principal;
  principal.kind = store::v1::ACTOR_KIND_STAFF;
  principal.id = checked.staff().id();
  principal.role = checked.staff().role();
  co_return principal;
}

asio::awaitable<http::Response> Sessions::Login(http::Request& request) {
  if (const absl::Status site = CheckSite(request); !site.ok()) co_return rest::ErrorAs(403, site);
  const absl::StatusOr<json::object> body = ReadBody(request);
  if (!body.ok()) co_return rest::ErrorOf(request, body.status());
  auto login = std::make_unique<store::v1::LoginRequest>();
  login->set_address(rest::AddressText(request.peer));
  if (const std::string token = Member(*body, "supabaseToken"); !token.empty()) {
    const absl::Status refused = Error(StatusCode::kUnauthenticated, "this token opens no account here");
    if (options_.supabase == nullptr) co_return rest::ErrorAs(401, refused);
    const absl::StatusOr<JwtClaims> claims = options_.supabase->Verify(token, std::chrono::system_clock::now());
    if (!claims.ok() || claims->role != JwtRole::kAuthenticated || claims->subject.empty()) {
      co_return rest::ErrorAs(401, refused);
    }
    login->set_verified_subject(claims->subject);
  } else {
    login->mutable_password()->set_email(Member(*body, "email"));
    login->mutable_password()->set_password(Member(*body, "password"));
  }
  std::string().swap(request.body);
  MessagePtr message = std::move(login);
  absl::StatusOr<MessagePtr> answer = co_await Ask(request, "Login", std::move(message));
  if (!answer.ok()) co_return Failed(request, answer.status());
  auto& opened = dynamic_cast<store::v1::LoginResponse&>(**answer);
  if (const std::string before = Cookie(request); !before.empty()) {
    auto logout = std::make_unique<store::v1::LogoutRequest>();
    logout->set_session(before);
    MessagePtr end = std::move(logout);
    const auto ended = co_await Ask(request, "Logout", std::move(end));
    if (!ended.ok()) co_return Failed(request, ended.status());
  }
  const std::string secret = opened.session();
  opened.clear_session();
  http::Response shown = Shown(opened);
  SetCookie(request, secret, shown);
  co_return shown;
}

asio::awaitable<http::Response> Sessions::Logout(http::Request& request) {
  const absl::StatusOr<rest::Principal> who = co_await Check(request, /*changes=*/true);
  if (!who.ok() && who.status().code() != StatusCode::kUnauthenticated) co_return Failed(request, who.status());
  const absl::StatusOr<json::object> body = ReadBody(request);
  if (!body.ok()) co_return rest::ErrorOf(request, body.status());
  const json::value* everywhere = body->if_contains("everywhere");
  auto logout = std::make_unique<store::v1::LogoutRequest>();
  logout->set_session(Cookie(request));
  logout->set_everywhere(everywhere != nullptr && everywhere->is_bool() && everywhere->get_bool());
  MessagePtr message = std::move(logout);
  const absl::StatusOr<MessagePtr> answer = co_await Ask(request, "Logout", std::move(message));
  if (!answer.ok()) co_return Failed(request, answer.status());
  http::Response shown = Shown(**answer);
  SetCookie(request, "", shown);
  co_return shown;
}

asio::awaitable<http::Response> Sessions::Session(http::Request& request) {
  if (const absl::Status site = CheckSite(request); !site.ok()) co_return rest::ErrorAs(403, site);
  auto check = std::make_unique<store::v1::CheckSessionRequest>();
  check->set_session(Cookie(request));
  MessagePtr message = std::move(check);
  const absl::StatusOr<MessagePtr> answer = co_await Ask(request, "CheckSession", std::move(message));
  co_return answer.ok() ? Shown(**answer) : Failed(request, answer.status());
}

asio::awaitable<http::Response> Sessions::Password(http::Request& request) {
  if (const absl::Status site = CheckSite(request); !site.ok()) co_return rest::ErrorAs(403, site);
  const absl::StatusOr<json::object> body = ReadBody(request);
  if (!body.ok()) co_return rest::ErrorOf(request, body.status());
  auto set = std::make_unique<store::v1::SetPasswordRequest>();
  set->set_address(rest::AddressText(request.peer));
  set->set_new_password(Member(*body, "newPassword"));
  if (const std::string invitation = Member(*body, "invitation"); !invitation.empty()) {
    set->set_invitation(invitation);
    set->set_email(Member(*body, "email"));
    set->set_name(Member(*body, "name"));
  } else {
    const absl::StatusOr<rest::Principal> who = co_await Check(request, /*changes=*/true);
    if (!who.ok()) co_return Failed(request, who.status());
    set->set_session(Cookie(request));
    set->set_old_password(Member(*body, "oldPassword"));
  }
  std::string().swap(request.body);
  MessagePtr message = std::move(set);
  const absl::StatusOr<MessagePtr> answer = co_await Ask(request, "SetPassword", std::move(message));
  co_return answer.ok() ? Shown(**answer) : Failed(request, answer.status());
}

}  // namespace medidesk::admin
