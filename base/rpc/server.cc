#include "base/rpc/server.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <thread>

#include "base/log.h"
#include "grpc/health/v1/health.pb.h"

namespace medidesk::rpc {
namespace {

// After cancellation handlers end soon; one that does not is a bug and must not hold up the exit for ever.
constexpr std::chrono::seconds kCancelGrace{5};

// How long a server that stops still takes calls: callers learn from NOT_SERVING to go elsewhere, and what they sent
// before they knew is answered.
constexpr std::chrono::milliseconds kLeave{300};

// Health and reflection are plug-ins of the whole process.
void EnablePlugins() {
  static const bool once = [] {
    // gRPC's own health service has no descriptor for reflection to show: this links ours.
    grpc::health::v1::HealthCheckRequest::descriptor();
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)once;
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(const std::string& address,
                                                                     const ServerOptions& options) {
  if (!options.tls.empty() && !IsUnixAddress(address)) {
    MD_RETURN_IF_ERROR(CheckTlsFiles(options.tls));
    if (options.tls.cert.empty()) {
      return Error(absl::StatusCode::kInvalidArgument, "TLS: a server needs TLS_CERT and TLS_KEY");
    }
    return ServerTls(options.tls, options.require_client_certificate);
  }
  if (IsLocalAddress(address) || options.allow_plaintext) return grpc::InsecureServerCredentials();
  return Error(absl::StatusCode::kInvalidArgument,
               "listen address " + address + " is not local: set TLS_CA, TLS_CERT and TLS_KEY");
}

// Learns the full names of the registered services.
class ServiceNames final : public grpc::ServerBuilderOption, public grpc::ServerBuilderPlugin {
 public:
  explicit ServiceNames(std::vector<std::string>* names) : names_(names) {}

  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->push_back(std::make_unique<ServiceNames>(names_));
  }
  std::string name() override { return "service_names"; }
  void InitServer(grpc::ServerInitializer*) override {}
  void Finish(grpc::ServerInitializer* server) override { *names_ = *server->GetServiceList(); }
  void ChangeArguments(const std::string&, void*) override {}

 private:
  std::vector<std::string>* const names_;
};

void SetLimits(grpc::ServerBuilder& builder, const ServerOptions& options) {
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetResourceQuota(grpc::ResourceQuota("server").Resize(options.memory_bytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a second server on the port is an error
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  // Only reflection is served by gRPC's own threads.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
}

}  // namespace

Server::Server(Dispatcher& dispatcher, std::vector<grpc::Service*> services)
    : dispatcher_(dispatcher), local_(std::make_shared<LocalServices>(std::move(services))) {}

Server::~Server() {
  Shutdown(std::chrono::milliseconds(0));
  if (drain_thread_.joinable()) drain_thread_.join();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Dispatcher& dispatcher, std::vector<grpc::Service*> services,
                                                      ServerOptions options) {
  EnablePlugins();
  std::unique_ptr<Server> server(new Server(dispatcher, std::move(services)));
  grpc::ServerBuilder builder;
  SetLimits(builder, options);
  server->ports_.resize(options.addresses.size());  // gRPC keeps pointers into it until it has started
  for (std::size_t i = 0; i < options.addresses.size(); ++i) {
    MD_ASSIGN_OR_RETURN(const auto credentials, Credentials(options.addresses[i], options));
    builder.AddListeningPort(options.addresses[i], credentials, &server->ports_[i]);
  }
  for (grpc::Service* service : server->local_->all) builder.RegisterService(service);
  std::vector<std::string> names;
  builder.SetOption(std::make_unique<ServiceNames>(&names));
  server->server_ = builder.BuildAndStart();
  bool listening = server->server_ != nullptr;
  for (std::size_t i = 0; listening && i < options.addresses.size(); ++i) listening = server->ports_[i] != 0;
  if (!listening) {
    std::string all;
    for (const std::string& address : options.addresses) all += (all.empty() ? "" : ", ") + address;
    return Error(absl::StatusCode::kUnavailable, "cannot listen on " + all + ": is the address in use?");
  }
  for (std::size_t i = 0; i < options.addresses.size(); ++i) {
    if (IsUnixAddress(options.addresses[i])) server->ports_[i] = 0;  // gRPC says 1
  }
  for (const std::string& name : names) server->SetServing(name, true);
  return server;
}

void Server::SetServing(const std::string& service, bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(service, serving);
}

Channel Server::InProcessChannel() {
  KeepCallbackThreads();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return {server_->InProcessChannel(arguments), local_};
}

void Server::Shutdown(std::chrono::milliseconds grace) {
  std::lock_guard lock(shutdown_mutex_);
  if (stopped_ || server_ == nullptr) return;
  stopped_ = true;
  const auto deadline = std::chrono::steady_clock::now() + grace;
  server_->GetHealthCheckService()->Shutdown();
  if (!ports_.empty()) std::this_thread::sleep_for(std::min(kLeave, grace / 4));
  local_->open = false;
  dispatcher_.Close();
  dispatcher_.CancelEndless();
  if (!dispatcher_.WaitUntilIdle(deadline)) {
    if (dispatcher_.running() > 0) log::Warning("drain_cancels", {{"calls", dispatcher_.running()}});
    dispatcher_.CancelAll();
  }
  // Waits for every reactor; the deadline cuts the connections of calls that do not end.
  server_->Shutdown(std::chrono::system_clock::now() + kCancelGrace);
  if (!dispatcher_.WaitUntilIdle(std::chrono::steady_clock::now() + kCancelGrace)) {
    log::Error("drain_incomplete", {{"calls", dispatcher_.running()}});
  }
}

asio::awaitable<void> Server::Drain(std::chrono::milliseconds grace) {
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [this, grace](auto handler) {
        auto work = asio::make_work_guard(asio::get_associated_executor(handler));
        std::lock_guard lock(shutdown_mutex_);
        if (drain_thread_.joinable()) return asio::post(work.get_executor(), std::move(handler));
        drain_thread_ = std::thread([this, grace, work, handler = std::move(handler)]() mutable {
          Shutdown(grace);
          asio::post(work.get_executor(), std::move(handler));
        });
      },
      asio::use_awaitable);
}

}  // namespace medidesk::rpc
