// Health for people, load balancers and Prometheus:
//
//   GET /health   {"status":"running"|"degraded","connected":bool,"user":string|null,"timestamp":"...",
//                  "uptime":seconds,"memory":{"rss":bytes},"services":{"store":"up",...},
//                  "numbers":[{"name":"...","connected":bool,"state":"..."}]}
//                 always 200; the first four are the original bot's. `user` is masked unless the
//                 caller is on this machine.
//   GET /livez    200 while the process answers at all
//   GET /readyz   200 when every required service is up, else 503, with the services' states
//   GET /metrics  Prometheus text format 0.0.4
//
// All of it is answered in overload too.
#pragma once

#include <prometheus/collectable.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admin/http/router.h"

namespace medidesk::admin {

struct HealthSnapshot {
  struct Service {
    std::string name;  // "store", "assistant", "gateway"
    bool up = false;
    bool required = true;  // for readiness
  };
  struct Number {
    std::string name;  // the operator's short name
    std::string user;  // its WhatsApp id, "15550109999:7@s.whatsapp.net"; empty when not linked
    bool enabled = true;
    bool connected = false;
    std::string state = {};  // "connected", "needs_link", ...
  };
  std::vector<Service> services = {};
  std::vector<Number> numbers = {};
};

class HealthSource {
 public:
  virtual ~HealthSource() = default;
  // What is known now; never blocks and never asks anybody. Called from many threads.
  virtual HealthSnapshot Snapshot() const = 0;
};

// "15*******99:7@s.whatsapp.net": the first and last two digits before the first sign that is none.
std::string MaskUser(std::string_view user);

// The body of /health.
std::string HealthJson(const HealthSnapshot& snapshot, bool show_user, std::chrono::system_clock::time_point now,
                       std::chrono::seconds uptime, std::int64_t rss_bytes);

// Resident memory of this process, bytes; 0 where /proc does not say.
std::int64_t ResidentBytes();

// `source` must outlive the router's use; uptime counts from this call.
void AddHealthRoutes(http::Router& router, const HealthSource& source);

// `before` runs ahead of each scrape (gauges that are read, not counted).
void AddMetricsRoute(http::Router& router, std::vector<std::shared_ptr<prometheus::Collectable>> registries,
                     std::function<void()> before = nullptr);

}  // namespace medidesk::admin
