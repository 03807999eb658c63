// The gateway put together. Used by main.cc and by the all-in-one program.
//
// Without a master key it owns no number: it reads the store's, and says so to whoever wants to link one.
#pragma once

#include <grpcpp/impl/service_type.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <vector>

#include "base/flags.h"
#include "base/rpc/call_guard.h"
#include "base/rpc/channel.h"
#include "base/rpc/dispatcher.h"
#include "gateway/service/gateway_metrics.h"
#include "gateway/service/gateway_service.h"
#include "gateway/service/number_fleet.h"

namespace medidesk::gateway {

struct GatewayConfig {
  std::string whatsapp_url = "wss://web.whatsapp.com/ws/chat";
  std::string whatsapp_root_key;  // hex; empty: WhatsApp's own
  std::string whatsapp_ca;
  std::string gateway_id;
  std::string gateway_public_address;  // empty: the address it listens on
  int gateway_numbers = 200;
  std::string master_key;
  std::string var;

  void Register(FlagSet& flags);
  absl::Status Check() const;
};

// Owns everything but the event loop, the registry and the store behind `store`, which outlive it. Stop servers first,
// then Stop(), then the event loop.
class Gateway {
 public:
  // `address`: where it listens. INVALID_ARGUMENT or FAILED_PRECONDITION for settings that cannot be used.
  static absl::StatusOr<std::unique_ptr<Gateway>> Create(const GatewayConfig& config,
                                                         rpc::Dispatcher::Executor executor,
                                                         prometheus::Registry& registry, const rpc::Channel& store,
                                                         const std::string& address);
  ~Gateway();

  rpc::Dispatcher& dispatcher() { return dispatcher_; }
  std::vector<grpc::Service*> services() { return {service_.get()}; }
  // Before the server starts: see CallGuard.
  void TrustNetwork(bool trust) { guard_.TrustNetwork(trust); }

  // Takes numbers from now on.
  void Start();
  // Gives them up: sockets are closed, leases released.
  boost::asio::awaitable<void> Drain();
  void Stop();

 private:
  Gateway(rpc::Dispatcher::Executor executor, prometheus::Registry& registry, const rpc::Channel& store);

  GatewayMetrics metrics_;
  rpc::Dispatcher dispatcher_;
  rpc::TokenCheck tokens_;
  rpc::CallGuard guard_;
  std::shared_ptr<NumberFleet> fleet_;  // null without a master key
  std::unique_ptr<GatewayService> service_;
};

}  // namespace medidesk::gateway
