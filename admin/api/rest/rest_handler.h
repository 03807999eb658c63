// Everything under /v1 that the route table names: the services' messages in proto3 JSON.
//
//   GET /v1/conversations?pageSize=20        200 {"conversations":[...],"nextPageToken":"..."}
//   PUT /v1/knowledge/faqs/parking           200 {"faq":{...}}, etag: "12"
//     if-match: "11"                         412 when the row has another version by now
//   POST /v1/assistant:streamReply           200 one JSON object a line, or server-sent events where
//                                            `accept` asks for text/event-stream
//
// Order: address limit, path and method, credential, credential's limit, body and query, phone limit,
// the call, the record of a read. What was read is shown only when its reading is recorded. Errors are
// those of rest_error.h.
//
// A write takes an Idempotency-Key (a UUID) where its request has a commit_id; without one it gets a
// fresh id, and a repetition is a second write.
//
// Thread-safe. What it is given must outlive it, and so must the event loop; it outlives every request.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "admin/api/admin_metrics.h"
#include "admin/api/cors.h"
#include "admin/api/rate_limiter.h"
#include "admin/api/rest/caller.h"
#include "admin/api/rest/route_table.h"
#include "admin/api/rest/rpc_backend.h"
#include "admin/http/router.h"

namespace medidesk::admin::rest {

class RestHandler {
 public:
  struct Options {
    // Requests of this machine go without a token. Only for a server that listens on loopback alone.
    bool open_on_loopback = false;
    std::string allowed_origins = {};  // of browsers, comma separated, or *; empty: none, and no CORS
    // Callers on this machine have no address limit.
    RateLimiter::Options per_address{.per_second = 100, .burst = 200, .max_keys = 65'536};
    RateLimiter::Options per_token{.per_second = 100, .burst = 200, .max_keys = 4096};
    RateLimiter::Options per_phone{.per_second = 1, .burst = 20, .max_keys = 131'072};
    std::chrono::milliseconds call_budget{10'000};
    std::chrono::milliseconds reply_budget{25'000};
    std::chrono::milliseconds document_budget{120'000};
    std::chrono::milliseconds endless_budget{1'200'000};
    std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
  };

  RestHandler(RpcBackend& backend, TokenChecker& tokens, Options options);
  ~RestHandler();

  // Before the server starts. Metrics may stay null.
  void AddRoutes(http::Router& router);
  void SetMetrics(AdminMetrics* metrics) { metrics_ = metrics; }
  // The dashboard's. Before the server starts; null: there is no dashboard.
  void SetSessions(SessionChecker* sessions) { sessions_ = sessions; }

  // For the server's on_response: the shape of its own errors, cross-origin and cache headers.
  void Decorate(const http::Request& request, http::Response& response) const;

  boost::asio::awaitable<http::Response> Handle(http::Request& request);

 private:
  struct Job;  // one request on its way

  boost::asio::awaitable<absl::StatusOr<TokenChecker::Checked>> Authenticate(const http::Request& request,
                                                                             const Route& route);
  boost::asio::awaitable<absl::StatusOr<MessagePtr>> ReadRequest(const Job& job);
  boost::asio::awaitable<http::Response> Answer(Job& job);
  boost::asio::awaitable<http::Response> AnswerStream(Job& job);
  boost::asio::awaitable<absl::Status> RecordRead(const Job& job, const google::protobuf::Message* response);
  boost::asio::awaitable<absl::StatusOr<std::string>> WriteJson(const google::protobuf::Message& message);

  // Each gives an answer when the request ends here.
  std::optional<http::Response> LimitAddress(const http::Request& request);
  std::optional<http::Response> Limit(RateLimiter& limiter, std::string_view key, AdminMetrics::Limit which);
  std::optional<http::Response> CheckHead(const Job& job) const;
  std::optional<http::Response> FillIn(Job& job);
  CallContext ContextOf(const Job& job) const;

  RpcBackend& backend_;
  TokenChecker& tokens_;
  const Options options_;
  const Cors cors_;
  SessionChecker* sessions_ = nullptr;
  AdminMetrics* metrics_ = nullptr;
  RateLimiter per_address_, per_token_, per_phone_;
  // Long JSON is read and written here, so that it holds up nobody on the event loop.
  boost::asio::thread_pool long_work_{1};
};

}  // namespace medidesk::admin::rest
