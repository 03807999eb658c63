#include "admin/api/admin_metrics.h"

#include <algorithm>
#include <chrono>

#include "admin/api/webhook.h"

namespace medidesk::admin {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                          0.25,   0.5,   1,      2.5,   5,    10,    25,   30};

std::string LabelOf(int code) { return code == 0 ? "other" : std::to_string(code); }

}  // namespace

AdminMetrics::AdminMetrics(prometheus::Registry& registry, const std::vector<std::string>& routes) {
  auto& requests = prometheus::BuildCounter()
                       .Name("medidesk_admin_http_requests_total")
                       .Help("HTTP requests answered by admin.")
                       .Register(registry);
  auto& seconds = prometheus::BuildHistogram()
                      .Name("medidesk_admin_http_request_seconds")
                      .Help("Seconds from a whole HTTP request to its answer.")
                      .Register(registry);
  auto& webhook = prometheus::BuildCounter()
                      .Name("medidesk_webhook_requests_total")
                      .Help("Requests to the webhook by status code.")
                      .Register(registry);
  const auto add_all = [](auto& family, const prometheus::Labels& labels) {
    ByCode counters;
    for (std::size_t i = 0; i <= kCodes.size(); ++i) {
      prometheus::Labels all = labels;
      all.emplace("code", LabelOf(i < kCodes.size() ? kCodes[i] : 0));
      counters[i] = &family.Add(all);
    }
    return counters;
  };
  std::vector<std::string> names = routes;
  names.emplace_back("other");
  for (const std::string& name : names) {
    routes_[name] = Route{.requests = add_all(requests, {{"route", name}}),
                          .seconds = &seconds.Add({{"route", name}}, kSeconds),
                          .webhook = IsWebhookPath(name)};
  }
  webhook_requests_ = add_all(webhook, {});
  webhook_seconds_ = &prometheus::BuildHistogram()
                          .Name("medidesk_webhook_request_seconds")
                          .Help("Seconds from a whole webhook request to its answer.")
                          .Register(registry)
                          .Add({}, kSeconds);
  webhook_timeouts_ = &prometheus::BuildCounter()
                           .Name("medidesk_webhook_timeouts_total")
                           .Help("Webhook requests without an answer within their budget.")
                           .Register(registry)
                           .Add({});
  auto& rejected = prometheus::BuildCounter()
                       .Name("medidesk_admin_http_rejected_total")
                       .Help("HTTP requests refused because a limit was reached.")
                       .Register(registry);
  rejected_ = {&rejected.Add({{"limit", "in_flight"}}), &rejected.Add({{"limit", "address"}}),
               &rejected.Add({{"limit", "credential"}}), &rejected.Add({{"limit", "phone"}})};
  in_flight_ = &prometheus::BuildGauge()
                    .Name("medidesk_admin_http_in_flight")
                    .Help("HTTP requests being handled.")
                    .Register(registry)
                    .Add({});
  connections_ = &prometheus::BuildGauge()
                      .Name("medidesk_admin_http_connections")
                      .Help("Open HTTP connections.")
                      .Register(registry)
                      .Add({});
}

std::size_t AdminMetrics::CodeIndex(int status) {
  return static_cast<std::size_t>(std::find(kCodes.begin(), kCodes.end(), status) - kCodes.begin());
}

void AdminMetrics::OnAnswered(const http::Server::Answered& answered) {
  auto found = routes_.find(answered.route);
  if (found == routes_.end()) found = routes_.find(std::string_view("other"));
  const Route& route = found->second;
  const std::size_t code = CodeIndex(answered.status);
  const double seconds = std::chrono::duration<double>(answered.duration).count();
  route.requests[code]->Increment();
  route.seconds->Observe(seconds);
  if (route.webhook) {
    webhook_requests_[code]->Increment();
    webhook_seconds_->Observe(seconds);
  }
  if (answered.overload) OnRejected(Limit::kInFlight);
}

void AdminMetrics::OnRejected(Limit limit) { rejected_[static_cast<std::size_t>(limit)]->Increment(); }

void AdminMetrics::OnWebhookTimeout() { webhook_timeouts_->Increment(); }

void AdminMetrics::Refresh(const http::Server& server) {
  in_flight_->Set(server.in_flight());
  connections_->Set(server.connections());
}

}  // namespace medidesk::admin
