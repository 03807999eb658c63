// The gateway put together. Used by main.cc and by the all-in-one program.
//
// Without a master key it owns no number: it reads the store's, and says so to whoever wants to link one.
#pragma once

#include <grpcpp/impl/service_type.h>
#include <prometheus/registry.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/flags.h"
#include "base/rpc/call_guard.h"
#include "base/rpc/channel.h"
#include "base/rpc/dispatcher.h"
#include "gateway/service/bot_hub.h"
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
  std::chrono::milliseconds burst_quiet{1'200}, burst_limit{6'000};
  bool typing = true;
  bool send_governor = true;
  std::chrono::milliseconds send_gap_min{1'000}, send_gap_max{3'500};
  // Of the site, where the hospital's file has none.
  std::string emergency_number, crisis_line;

  void Register(FlagSet& flags);
  // What medidesk-all has from the assistant's flags.
  void RegisterSite(FlagSet& flags);
  absl::Status Check() const;
};

// Owns everything but the event loop, the registry, and the services behind `store` and `assistant`, which outlive it.
// Stop servers first, then Stop(), then the event loop.
class Gateway {
 public:
  // `address`: where it listens. INVALID_ARGUMENT or FAILED_PRECONDITION for settings that cannot be used.
  static absl::StatusOr<std::unique_ptr<Gateway>> Create(const GatewayConfig& config,
                                                         rpc::Dispatcher::Executor executor,
                                                         prometheus::Registry& registry, const rpc::Channel& store,
                                                         const rpc::Channel& assistant, const std::string& address);
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
  std::shared_ptr<BotHub> bots_;  // null without a master key, like:
  std::shared_ptr<NumberFleet> fleet_;
  std::unique_ptr<GatewayService> service_;
};

}  // namespace medidesk::gateway
