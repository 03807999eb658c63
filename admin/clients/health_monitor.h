// Asks the other services every two seconds whether they answer, down to the database, and keeps
// what they said for /health and /readyz.
//
// Thread-safe. Start() once; Stop() before the channels' services go away.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>

#include <future>
#include <mutex>

#include "admin/api/health.h"
#include "base/rpc/client.h"
#include "base/rpc/dispatcher.h"
#include "medidesk/assistant/v1/assistant.grpc.pb.h"
#include "medidesk/gateway/v1/gateway.grpc.pb.h"
#include "medidesk/store/v1/conversation.grpc.pb.h"

namespace medidesk::admin {

class HealthMonitor final : public HealthSource {
 public:
  HealthMonitor(rpc::Dispatcher::Executor executor, const rpc::Channel& store, const rpc::Channel& assistant,
                const rpc::Channel& gateway);
  ~HealthMonitor() override;

  void Start();
  void Stop();
  HealthSnapshot Snapshot() const override;

 private:
  boost::asio::awaitable<void> Watch();
  boost::asio::awaitable<void> Look();

  const boost::asio::strand<rpc::Dispatcher::Executor> strand_;
  rpc::Client<store::v1::ConversationService> store_;
  rpc::Client<assistant::v1::AssistantService> assistant_;
  rpc::Client<gateway::v1::GatewayService> gateway_;
  mutable std::mutex mutex_;
  HealthSnapshot snapshot_;  // under mutex_
  boost::asio::cancellation_signal cancel_;
  std::future<void> done_;
};

}  // namespace medidesk::admin
