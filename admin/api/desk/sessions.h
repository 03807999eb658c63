// Who is logged in to the dashboard.
//
//   POST /desk/login      {"email", "password"}, or {"supabaseToken"} where that is switched on
//                         200 {"csrfToken", "staff", "expireTime"} and the cookie; 401; 429 while locked out
//   POST /desk/logout     {"everywhere"}                     200, and the cookie is gone
//   GET  /desk/session    200 as login, 401 without a session
//   POST /desk/password   {"invitation" or "oldPassword", "newPassword", "email", "name"}     200 {"staff"}
//
// The cookie is HttpOnly and SameSite=Strict, under HTTPS also Secure with the prefix __Host-, which no other host
// can set. Every login makes a new session and ends the one the browser brought, so a session that somebody else
// planted is worth nothing. A changing request carries the session's secret in X-CSRF-Token; a request that the
// browser marks as another site's is refused whatever it carries.
//
// Errors are those of rest_error.h. Thread-safe; what it is given outlives it.
#pragma once

#include <string>

#include "admin/api/jwt.h"
#include "admin/api/rest/caller.h"
#include "admin/api/rest/rpc_backend.h"
#include "admin/http/router.h"

namespace medidesk::admin {

class Sessions final : public rest::SessionChecker {
 public:
  struct Options {
    bool https = false;                     // HTTP is served over TLS; else X-Forwarded-Proto of a proxy is believed
    const JwtVerifier* supabase = nullptr;  // null: no login with a Supabase token
  };
  Sessions(rest::RpcBackend& backend, Options options) : backend_(backend), options_(options) {}

  // Before the server starts.
  void AddRoutes(http::Router& router);

  bool IsPresented(const http::Request& request) const override;
  boost::asio::awaitable<absl::StatusOr<rest::Principal>> Check(const http::Request& request, bool changes) override;

 private:
  boost::asio::awaitable<http::Response> Login(http::Request& request);
  boost::asio::awaitable<http::Response> Logout(http::Request& request);
  boost::asio::awaitable<http::Response> Session(http::Request& request);
  boost::asio::awaitable<http::Response> Password(http::Request& request);
  boost::asio::awaitable<absl::StatusOr<rest::MessagePtr>> Ask(const http::Request& request, const char* rpc,
                                                               rest::MessagePtr message);

  bool IsHttps(const http::Request& request) const;
  std::string_view CookieName(const http::Request& request) const;
  // The secret that the cookie holds; empty when there is none.
  std::string Cookie(const http::Request& request) const;
  void SetCookie(const http::Request& request, std::string_view secret, http::Response& response) const;

  rest::RpcBackend& backend_;
  const Options options_;
};

}  // namespace medidesk::admin
