#include "admin/build.h"

#include "admin/api/desk/pages.h"
#include "admin/api/rest/docs_routes.h"

namespace medidesk::admin {

void AdminConfig::Register(FlagSet& flags) {
  flags.Add("http_address", &http_address, "where HTTP listens");
  flags.Add("port", &port, "HTTP port; 0: any free one", {.min = 0, .max = 65535});
  flags.Add("http_tls_cert", &http_tls_cert, "PEM file; with its key HTTP becomes HTTPS");
  flags.Add("http_tls_key", &http_tls_key, "PEM file");
  flags.Add("http_max_connections", &http_max_connections, "open HTTP connections", {.min = 1, .max = 100'000});
  flags.Add("http_max_in_flight", &http_max_in_flight, "HTTP requests handled at once; more get 503",
            {.min = 1, .max = 100'000});
  flags.Add("webhook_key", &credentials.webhook_key, "key or keys of the webhook, comma separated");
  flags.Add("webhook_open", &credentials.webhook_open, "leave the webhook open to everybody");
  flags.Add("webhook_origins", &webhook_origins,
            "browser origins that may call the webhook, comma separated; empty: all");
  flags.Add("webhook_rate_phone", &webhook_rate_phone, "messages a second from one phone number; 0: no limit",
            {.min = 0, .max = 1'000'000});
  flags.Add("webhook_burst_phone", &webhook_burst_phone, "of them at once", {.min = 1, .max = 1'000'000});
  flags.Add("webhook_rate_key", &webhook_rate_key, "requests a second with one key; 0: no limit",
            {.min = 0, .max = 1'000'000});
  flags.Add("webhook_burst_key", &webhook_burst_key, "of them at once", {.min = 1, .max = 1'000'000});
  flags.Add("webhook_rate_address", &webhook_rate_address, "requests a second from one address; 0: no limit",
            {.min = 0, .max = 1'000'000});
  flags.Add("webhook_burst_address", &webhook_burst_address, "of them at once", {.min = 1, .max = 1'000'000});
  flags.Add("rest_open", &rest_open,
            "calls of this machine's programs to /v1 need no token while HTTP listens on loopback alone; switch it "
            "off behind a proxy");
  flags.Add("rest_origins", &rest_origins, "browser origins that may call /v1, comma separated; empty: none");
  flags.Add("rest_rate_token", &rest_rate_token, "requests a second to /v1 with one token; 0: no limit",
            {.min = 0, .max = 1'000'000});
  flags.Add("rest_burst_token", &rest_burst_token, "of them at once", {.min = 1, .max = 1'000'000});
  flags.Add("rest_rate_phone", &rest_rate_phone, "messages a second of one phone number through /v1; 0: no limit",
            {.min = 0, .max = 1'000'000});
  flags.Add("rest_burst_phone", &rest_burst_phone, "of them at once", {.min = 1, .max = 1'000'000});
  flags.Add("rest_rate_address", &rest_rate_address, "requests a second to /v1 from one address; 0: no limit",
            {.min = 0, .max = 1'000'000});
  flags.Add("rest_burst_address", &rest_burst_address, "of them at once", {.min = 1, .max = 1'000'000});
  flags.Add("desk_supabase", &desk_supabase,
            "staff logs in to the dashboard with a token of the Supabase project: `sub` is the account's id");
  flags.Add("supabase_anon_key", &credentials.supabase_anon_key,
            "the project's anon or publishable key, accepted by the webhook");
  flags.Add("supabase_jwt_secret", &credentials.supabase_jwt_secret, "the project's JWT secret (HS256)");
  flags.Add("supabase_jwks", &credentials.supabase_jwks, "the project's JWT key set as JSON text (ES256)");
}

absl::Status AdminConfig::Check() const { return CheckExposure(http_address, credentials); }

absl::StatusOr<std::unique_ptr<Admin>> Admin::Start(const AdminConfig& config, rpc::Dispatcher::Executor executor,
                                                    prometheus::Registry& registry, const Channels& channels,
                                                    std::vector<std::shared_ptr<prometheus::Collectable>> metrics) {
  std::unique_ptr<Admin> admin(new Admin(executor, channels));
  MD_ASSIGN_OR_RETURN(admin->credentials_, WebhookCredentials::Create(config.credentials));
  Webhook::Options options;
  options.allowed_origins = config.webhook_origins;
  options.per_phone.per_second = config.webhook_rate_phone;
  options.per_phone.burst = config.webhook_burst_phone;
  options.per_credential.per_second = config.webhook_rate_key;
  options.per_credential.burst = config.webhook_burst_key;
  options.per_address.per_second = config.webhook_rate_address;
  options.per_address.burst = config.webhook_burst_address;
  admin->webhook_ = std::make_unique<Webhook>(*admin->credentials_, admin->replies_, options);

  rest::RestHandler::Options rest;
  rest.open_on_loopback = config.rest_open && http::IsLoopbackAddress(config.http_address);
  rest.allowed_origins = config.rest_origins;
  rest.per_token.per_second = config.rest_rate_token;
  rest.per_token.burst = config.rest_burst_token;
  rest.per_phone.per_second = config.rest_rate_phone;
  rest.per_phone.burst = config.rest_burst_phone;
  rest.per_address.per_second = config.rest_rate_address;
  rest.per_address.burst = config.rest_burst_address;
  admin->rest_ = std::make_unique<rest::RestHandler>(admin->rest_services_, admin->tokens_, rest);

  Sessions::Options sessions{.https = !config.http_tls_cert.empty()};
  if (config.desk_supabase) sessions.supabase = &admin->credentials_->verifier();
  admin->sessions_ = std::make_unique<Sessions>(admin->rest_services_, sessions);
  admin->rest_->SetSessions(admin->sessions_.get());
  admin->events_ = std::make_unique<EventFeed>(executor, admin->rest_services_, *admin->sessions_);

  http::Router router;
  AddPages(router);
  admin->sessions_->AddRoutes(router);
  admin->events_->AddRoutes(router);
  admin->webhook_->AddRoutes(router);
  admin->rest_->AddRoutes(router);
  rest::AddDocsRoutes(router);
  AddHealthRoutes(router, admin->health_);
  AddMetricsRoute(router, std::move(metrics), [admin = admin.get()] {
    if (admin->server_ != nullptr) admin->metrics_->Refresh(*admin->server_);
  });
  admin->metrics_ = std::make_unique<AdminMetrics>(registry, router.Patterns());
  admin->webhook_->SetMetrics(admin->metrics_.get());
  admin->rest_->SetMetrics(admin->metrics_.get());

  http::Server::Options server;
  server.address = config.http_address;
  server.port = static_cast<std::uint16_t>(config.port);
  server.tls_cert = config.http_tls_cert;
  server.tls_key = config.http_tls_key;
  server.max_connections = config.http_max_connections;
  server.max_in_flight = config.http_max_in_flight;
  server.on_response = [webhook = admin->webhook_.get(), rest = admin->rest_.get()](const http::Request& request,
                                                                                    http::Response& response) {
    webhook->Decorate(request, response);
    rest->Decorate(request, response);
  };
  server.on_answered = [metrics = admin->metrics_.get()](const http::Server::Answered& answered) {
    metrics->OnAnswered(answered);
  };
  MD_ASSIGN_OR_RETURN(admin->server_, http::Server::Listen(executor, std::move(server), std::move(router)));
  admin->health_.Start();
  admin->events_->Start();
  return admin;
}

Admin::Admin(rpc::Dispatcher::Executor executor, const Channels& channels)
    : replies_(channels.assistant),
      health_(executor, channels.store, channels.assistant, channels.gateway),
      rest_services_(channels.store, channels.assistant, channels.gateway),
      tokens_(rpc::TokenCheck::AskStore(channels.store)) {}

Admin::~Admin() { Stop(); }

boost::asio::awaitable<void> Admin::Drain(std::chrono::milliseconds grace) {
  events_->EndStreams();
  co_await server_->Stop(grace);
}

void Admin::Stop() {
  if (events_ != nullptr) events_->Stop();
  health_.Stop();
}

}  // namespace medidesk::admin
