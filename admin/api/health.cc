#include "admin/api/health.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace medidesk::admin {

namespace asio = boost::asio;

namespace {

constexpr http::Router::RouteOptions kAlways{.counts = false};

std::string ServicesJson(const HealthSnapshot& snapshot) {
  std::string json = "{";
  for (const HealthSnapshot::Service& service : snapshot.services) {
    if (json.size() > 1) json += ',';
    http::AppendJsonString(json, service.name);
    json += service.up ? R"(:"up")" : R"(:"down")";
  }
  return json += '}';
}

std::string IsoTime(std::chrono::system_clock::time_point time) {
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), millis.count() % 1000);
}

}  // namespace

std::string MaskUser(std::string_view user) {
  constexpr std::size_t kShown = 2;
  std::string masked(user);
  const std::size_t digits = std::min(user.find_first_not_of("+0123456789"), user.size());
  const std::size_t first = user.starts_with('+') ? kShown + 1 : kShown;
  // Short ones are hidden whole: two and two digits of five would name it.
  const bool is_short = digits < 7;
  const std::size_t from = is_short ? 0 : first;
  const std::size_t to = is_short ? digits : digits - kShown;
  for (std::size_t i = from; i < to; ++i) masked[i] = '*';
  return masked;
}

std::string HealthJson(const HealthSnapshot& snapshot, bool show_user, std::chrono::system_clock::time_point now,
                       std::chrono::seconds uptime, std::int64_t rss_bytes) {
  const auto& numbers = snapshot.numbers;
  const auto lost = [](const HealthSnapshot::Number& number) { return number.enabled && !number.connected; };
  const bool any_enabled =
      std::any_of(numbers.begin(), numbers.end(), [](const HealthSnapshot::Number& number) { return number.enabled; });
  const bool any_lost = std::any_of(numbers.begin(), numbers.end(), lost);
  const bool services_up = std::all_of(snapshot.services.begin(), snapshot.services.end(),
                                       [](const HealthSnapshot::Service& service) { return service.up; });
  std::string json = R"({"status":)";
  json += services_up && !any_lost ? R"("running")" : R"("degraded")";
  json += any_enabled && !any_lost ? R"(,"connected":true,"user":)" : R"(,"connected":false,"user":)";
  if (numbers.empty() || numbers.front().user.empty()) {
    json += "null";
  } else {
    http::AppendJsonString(json, show_user ? numbers.front().user : MaskUser(numbers.front().user));
  }
  fmt::format_to(std::back_inserter(json), R"(,"timestamp":"{}","uptime":{},"memory":{{"rss":{}}},"services":{},)",
                 IsoTime(now), uptime.count(), rss_bytes, ServicesJson(snapshot));
  json += R"("numbers":[)";
  for (const HealthSnapshot::Number& number : numbers) {
    json += &number == &numbers.front() ? R"({"name":)" : R"(,{"name":)";
    http::AppendJsonString(json, number.name);
    json += number.enabled ? R"(,"enabled":true)" : R"(,"enabled":false)";
    json += number.connected ? R"(,"connected":true,"state":)" : R"(,"connected":false,"state":)";
    http::AppendJsonString(json, number.state);
    json += '}';
  }
  return json += "]}";
}

std::int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  if (!(statm >> total >> resident)) return 0;
  return resident * sysconf(_SC_PAGESIZE);
}

void AddHealthRoutes(http::Router& router, const HealthSource& source) {
  const auto started = std::chrono::steady_clock::now();
  const auto health = [&source, started](http::Request& request) -> asio::awaitable<http::Response> {
    const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started);
    http::Response response =
        http::JsonResponse(200, HealthJson(source.Snapshot(), request.from_loopback(), std::chrono::system_clock::now(),
                                           uptime, ResidentBytes()));
    response.Add("cache-control", "no-store");
    co_return response;
  };
  const auto livez = [](http::Request&) -> asio::awaitable<http::Response> {
    co_return http::JsonResponse(200, R"({"status":"alive"})");
  };
  const auto readyz = [&source](http::Request&) -> asio::awaitable<http::Response> {
    const HealthSnapshot snapshot = source.Snapshot();
    const bool ready =
        std::all_of(snapshot.services.begin(), snapshot.services.end(),
                    [](const HealthSnapshot::Service& service) { return service.up || !service.required; });
    co_return http::JsonResponse(ready ? 200 : 503,
                                 fmt::format(R"({{"ready":{},"services":{}}})", ready, ServicesJson(snapshot)));
  };
  router.Add("GET", "/health", health, kAlways);
  router.Add("GET", "/livez", livez, kAlways);
  router.Add("GET", "/readyz", readyz, kAlways);
}

void AddMetricsRoute(http::Router& router, std::vector<std::shared_ptr<prometheus::Collectable>> registries,
                     std::function<void()> before) {
  auto metrics = [registries = std::move(registries),
                  before = std::move(before)](http::Request&) -> asio::awaitable<http::Response> {
    if (before) before();
    std::vector<prometheus::MetricFamily> families;
    for (const auto& registry : registries) {
      std::vector<prometheus::MetricFamily> some = registry->Collect();
      std::move(some.begin(), some.end(), std::back_inserter(families));
    }
    co_return http::Response{.status = 200,
                             .body = prometheus::TextSerializer().Serialize(families),
                             .content_type = "text/plain; version=0.0.4; charset=utf-8"};
  };
  router.Add("GET", "/metrics", std::move(metrics), kAlways);
}

}  // namespace medidesk::admin
