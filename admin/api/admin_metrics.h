// What admin counts. Every label is a closed set: the router's patterns and the status codes below.
//
//   medidesk_admin_http_requests_total{route,code}    requests answered
//   medidesk_admin_http_request_seconds{route}        from the whole request to the ready answer
//   medidesk_admin_http_rejected_total{limit}         in_flight, address, credential, phone
//   medidesk_admin_http_in_flight, _connections       as of the last Refresh()
//   medidesk_webhook_requests_total{code}             of these, the webhook's
//   medidesk_webhook_request_seconds
//   medidesk_webhook_timeouts_total                   no answer within the budget
//
// Thread-safe after construction. The registry must outlive it.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "admin/http/server.h"

namespace medidesk::admin {

class AdminMetrics {
 public:
  enum class Limit { kInFlight, kAddress, kCredential, kPhone };

  // `routes` are the router's patterns (Router::Patterns()).
  AdminMetrics(prometheus::Registry& registry, const std::vector<std::string>& routes);

  // For Server::Options::on_answered.
  void OnAnswered(const http::Server::Answered& answered);
  void OnRejected(Limit limit);
  void OnWebhookTimeout();
  // Before a scrape.
  void Refresh(const http::Server& server);

 private:
  // Codes with a label of their own; the rest count as "other".
  static constexpr std::array kCodes = {200, 201, 204, 302, 304, 400, 401, 403, 404, 405, 409,
                                        413, 415, 422, 429, 431, 500, 501, 503, 504, 505};
  using ByCode = std::array<prometheus::Counter*, kCodes.size() + 1>;
  struct Route {
    ByCode requests;
    prometheus::Histogram* seconds = nullptr;
    bool webhook = false;
  };
  static std::size_t CodeIndex(int status);

  std::map<std::string, Route, std::less<>> routes_;  // with "other"
  ByCode webhook_requests_;
  prometheus::Histogram* webhook_seconds_;
  prometheus::Counter* webhook_timeouts_;
  std::array<prometheus::Counter*, 4> rejected_;
  prometheus::Gauge* in_flight_;
  prometheus::Gauge* connections_;
};

}  // namespace medidesk::admin
