// The admin service put together. Used by main.cc and by the all-in-one program.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <vector>

#include "admin/api/admin_metrics.h"
#include "admin/api/desk/event_feed.h"
#include "admin/api/desk/sessions.h"
#include "admin/api/rest/rest_handler.h"
#include "admin/api/webhook.h"
#include "admin/api/webhook_credentials.h"
#include "admin/clients/health_monitor.h"
#include "admin/clients/reply_client.h"
#include "admin/clients/rest_client.h"
#include "admin/clients/token_client.h"
#include "admin/http/server.h"
#include "base/flags.h"
#include "base/rpc/channel.h"
#include "base/rpc/dispatcher.h"

namespace medidesk::admin {

struct AdminConfig {
  std::string http_address = "127.0.0.1";
  int port = 8080;
  std::string http_tls_cert, http_tls_key;
  int http_max_connections = 1024;
  int http_max_in_flight = 256;
  CredentialOptions credentials;
  std::string webhook_origins;
  int webhook_rate_phone = 1, webhook_burst_phone = 20;
  int webhook_rate_key = 500, webhook_burst_key = 1000;
  int webhook_rate_address = 100, webhook_burst_address = 200;
  bool rest_open = true;
  std::string rest_origins;
  int rest_rate_token = 100, rest_burst_token = 200;
  int rest_rate_phone = 1, rest_burst_phone = 20;
  int rest_rate_address = 100, rest_burst_address = 200;
  bool desk_supabase = false;

  void Register(FlagSet& flags);
  absl::Status Check() const;
};

// Owns everything but the event loop, the registry and what the channels lead to, which outlive it.
class Admin {
 public:
  struct Channels {
    rpc::Channel store, assistant, gateway;
  };
  // `metrics`: what /metrics shows. Serves when it returns. INVALID_ARGUMENT or FAILED_PRECONDITION
  // for settings that cannot be used, UNAVAILABLE when the port is taken.
  static absl::StatusOr<std::unique_ptr<Admin>> Start(const AdminConfig& config, rpc::Dispatcher::Executor executor,
                                                      prometheus::Registry& registry, const Channels& channels,
                                                      std::vector<std::shared_ptr<prometheus::Collectable>> metrics);
  ~Admin();

  std::uint16_t port() const { return server_->port(); }
  // Stops accepting and lets running requests finish.
  boost::asio::awaitable<void> Drain(std::chrono::milliseconds grace);
  // Closes what is left. Before the event loop stops.
  void Stop();

 private:
  Admin(rpc::Dispatcher::Executor executor, const Channels& channels);

  std::unique_ptr<WebhookCredentials> credentials_;
  ReplyClient replies_;
  HealthMonitor health_;
  std::unique_ptr<Webhook> webhook_;
  RestClient rest_services_;
  TokenClient tokens_;
  std::unique_ptr<rest::RestHandler> rest_;
  std::unique_ptr<Sessions> sessions_;
  std::unique_ptr<EventFeed> events_;
  std::unique_ptr<AdminMetrics> metrics_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace medidesk::admin
