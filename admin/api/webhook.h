// The Supabase-compatible webhook: POST and OPTIONS on /functions/v1/whatsapp-webhook and
// /whatsapp-webhook.
//
//   request  {"phone","message","messageId"?,"timestamp"?}            (webhook_request.h)
//   200      {"success":true,"response":"..."|null,"conversationId":"<uuid>","messageId"?,"status","duplicate"}
//   else     {"success":false,"error":"...","code":"...","requestId":"..."}
//
//   400 body   401 credential   404, 405 path, method   409 the same message is being answered
//   413 size   415 multipart    429 a limit of this caller, 503 overload, outage or no answer within
//   the budget (both with retry-after)   500 anything else, without detail
//
// Order: preflight, address limit, credential, credential limit, body, phone limit, backend.
//
//   Webhook webhook(credentials, backend, options);
//   webhook.AddRoutes(router);
//   server_options.on_response = [&](const auto& request, auto& response) { webhook.Decorate(request, response); };
//
// Thread-safe. What it is given must outlive it and every request.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "admin/api/admin_metrics.h"
#include "admin/api/cors.h"
#include "admin/api/rate_limiter.h"
#include "admin/api/reply_backend.h"
#include "admin/api/webhook_credentials.h"
#include "admin/http/router.h"

namespace medidesk::admin {

// True for the webhook's own paths, with or without a slash at the end.
bool IsWebhookPath(std::string_view path);

class Webhook {
 public:
  struct Options {
    std::chrono::milliseconds budget{25'000};  // for one answer; no reply by then: 503
    std::string allowed_origins = {};          // see Cors
    // Callers on this machine have no address limit: a reverse proxy or the old bot speaks for many.
    RateLimiter::Options per_address{.per_second = 100, .burst = 200, .max_keys = 65'536};
    // Not applied to an open webhook, where all callers would share it.
    RateLimiter::Options per_credential{.per_second = 500, .burst = 1000, .max_keys = 4096};
    RateLimiter::Options per_phone{.per_second = 1, .burst = 20, .max_keys = 131'072};
    // The clocks; tests bring their own.
    std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
    std::function<std::chrono::system_clock::time_point()> system_now = std::chrono::system_clock::now;
  };

  // `metrics` may be null until SetMetrics(): they need the router's patterns first.
  Webhook(const WebhookCredentials& credentials, ReplyBackend& backend, Options options);

  // Before the server starts.
  void SetMetrics(AdminMetrics* metrics) { metrics_ = metrics; }

  void AddRoutes(http::Router& router);

  // Cross-origin headers for everything at or beside the webhook's paths, the server's own answers too.
  void Decorate(const http::Request& request, http::Response& response) const;

  // The handler of POST.
  boost::asio::awaitable<http::Response> Post(http::Request& request);

 private:
  boost::asio::awaitable<absl::StatusOr<ReplyResult>> CallWithinBudget(ReplyCall call);
  boost::asio::awaitable<absl::StatusOr<ReplyResult>> CallBackend(ReplyCall call);
  static http::Response Failed(const http::Request& request, const absl::Status& status);
  void Count(AdminMetrics::Limit limit) const;

  const WebhookCredentials& credentials_;
  ReplyBackend& backend_;
  const Options options_;
  const Cors cors_;
  AdminMetrics* metrics_ = nullptr;
  RateLimiter per_address_, per_credential_, per_phone_;
};

}  // namespace medidesk::admin
