// The bots of this gateway's numbers, and what they share: the gate, the fixed texts, the services, and the one stream
// on which the store tells what waits to be sent.
//
// Thread-safe. Start once; Stop before the executor and the channels go away.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/rpc/client.h"
#include "base/rpc/dispatcher.h"
#include "gateway/service/bot_backend.h"
#include "gateway/service/message_metrics.h"
#include "gateway/service/number_bot.h"
#include "gateway/service/number_layer.h"
#include "gateway/service/site_contacts.h"

namespace medidesk::gateway {

class BotHub : public std::enable_shared_from_this<BotHub> {
 public:
  struct Options {
    bot::TurnDesk::Options turns;
    bot::GovernorLimits limits;
    bot::Outbox::Options outbox;
    safety::SiteContacts contacts;  // where the store's facts have none
  };
  // INTERNAL when the embedded tables cannot be read.
  static absl::StatusOr<std::shared_ptr<BotHub>> Make(rpc::Dispatcher::Executor executor, const rpc::Channel& store,
                                                      const rpc::Channel& assistant, prometheus::Registry& registry,
                                                      Options options);

  void Start();
  void Stop();

  // For NumberFleet. The layers hold this.
  std::shared_ptr<NumberLayer> MakeLayer(std::shared_ptr<NumberPort> port);

 private:
  BotHub(rpc::Dispatcher::Executor executor, const rpc::Channel& store, const rpc::Channel& assistant,
         prometheus::Registry& registry, Options options, safety::Gate gate, safety::Texts texts);

  boost::asio::awaitable<void> Follow();
  boost::asio::awaitable<absl::Status> FollowOnce();
  std::shared_ptr<NumberBot> Find(const std::string& number_id);

  const rpc::Dispatcher::Executor executor_;
  const boost::asio::strand<rpc::Dispatcher::Executor> strand_;
  const Options options_;
  const safety::Gate gate_;
  const safety::Texts texts_;
  MessageMetrics metrics_;
  const std::shared_ptr<BotBackend> backend_;
  const std::shared_ptr<SiteContacts> site_;
  rpc::Client<store::v1::ConversationService> conversations_;
  boost::asio::cancellation_signal cancel_;  // on strand_
  bool stopped_ = false;                     // on strand_
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<NumberBot>> bots_;  // by number; under mutex_
};

}  // namespace medidesk::gateway
