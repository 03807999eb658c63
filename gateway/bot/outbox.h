// Delivers replies: one after the other to a person, part after part, each until WhatsApp has it or it is given up.
//
//   Deliver -> queue of the conversation -> governor -> Line::Send -> PartOutcome or OnHeld -> next part
//              the gate's texts stand in no queue and wait for nobody
//
// A reply that is under way already is not begun again, nor is a text of the gate's that was delivered (it may have
// left before the store knew of it), so the turn that made it, the store's feed and a look for what is pending may all
// bring the same one.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "gateway/bot/bot_metrics.h"
#include "gateway/bot/bot_port.h"
#include "gateway/bot/governor.h"

namespace medidesk::gateway::bot {

struct Outgoing {
  Reply reply;
  int first_part = 0;  // those before it are done
  bool tried = false;  // an attempt to send the first was committed before
  std::string conversation_id;
  wa::Jid chat;
  wa::WallTime created = {};
  std::optional<wa::WallTime> last_received = {};
};

class Outbox {
 public:
  static constexpr std::size_t kMaxDelivered = 1'000;  // texts of the gate that are remembered
  static constexpr std::size_t kMaxWaiting = 2'000;    // replies; further ones stay in the store and come again

  struct Options {
    std::chrono::minutes answer_life{10};  // an answer that comes later comes unannounced
    std::chrono::minutes gate_life{30};
    std::chrono::hours staff_life{24};
    std::chrono::milliseconds resend_pause{5'000};  // before a part that the server found malformed goes again
  };

  // All of them outlive it.
  Outbox(Line& line, Governor& governor, BotMetrics metrics, Options options);

  // False when it is under way or delivered already, or too many wait.
  bool Deliver(Outgoing outgoing);
  // Until this reply is no longer under way.
  boost::asio::awaitable<void> Finished(std::string reply_id);

  void OnOutcome(const wa::PartOutcome& outcome);
  // The store let this attempt not leave. `done`: the part had been acknowledged or ended before; else the reply stops.
  void OnHeld(const std::string& reply_id, int part, bool done);
  // The connection has come or gone.
  void OnLineChanged();
  // Nothing more is begun; what waits, stops.
  void Close();

  std::size_t waiting() const { return replies_.size(); }

 private:
  enum class Outcome { kAcknowledged, kSkip, kStop, kRefused, kNoAck, kNotSent, kNoDevice };
  struct Wait {
    explicit Wait(boost::asio::any_io_executor executor) : timer(std::move(executor)) {}
    boost::asio::steady_timer timer;
    std::optional<Outcome> outcome;
    int code = 0;
  };
  using Key = std::pair<std::string, int>;

  boost::asio::awaitable<void> Pump(std::string conversation);
  boost::asio::awaitable<void> DeliverOne(Outgoing outgoing);
  // False: the reply goes no further.
  boost::asio::awaitable<bool> DeliverPart(const Outgoing& outgoing, wa::OutboundPart part);
  boost::asio::awaitable<bool> WaitForLeave(const Outgoing& outgoing, const std::string& stanza_id);
  boost::asio::awaitable<void> End(std::string stanza_id, PartEnd end, std::string failure);
  // Or until the line changes.
  boost::asio::awaitable<void> Pause(wa::Time until);
  void Settle(const std::string& reply_id, int part, Outcome outcome, int code);
  wa::WallTime ExpiryOf(const Outgoing& outgoing) const;

  Line& line_;
  Governor& governor_;
  const BotMetrics metrics_;
  const Options options_;
  bool closed_ = false;
  std::map<std::string, std::deque<Outgoing>> conversations_;
  std::map<std::string, std::shared_ptr<boost::asio::steady_timer>> replies_;  // under way; cancelled at their end
  std::map<Key, std::shared_ptr<Wait>> waits_;
  std::deque<std::string> delivered_;            // ids of the gate's replies
  std::set<boost::asio::steady_timer*> pauses_;  // cut short when the line changes
};

}  // namespace medidesk::gateway::bot
