// The messages of one number: joins the protocol's message layer to the number's port and to the bot.
//
//   stanzas, events -> wa::MessageLayer -> commits -> NumberPort -> results -> receipts, turns, deliveries
//
// One strand. The layer is made at the first login, from the keys that are stored. Held by shared_ptr.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/bot/emergency_texts.h"
#include "gateway/bot/governor.h"
#include "gateway/bot/outbox.h"
#include "gateway/bot/screening.h"
#include "gateway/bot/turn_desk.h"
#include "gateway/net/session_clock.h"
#include "gateway/service/bot_backend.h"
#include "gateway/service/message_metrics.h"
#include "gateway/service/number_layer.h"
#include "gateway/service/site_contacts.h"
#include "gateway/wa/messages/message_layer.h"

namespace medidesk::gateway {

class NumberBot final : public NumberLayer, private bot::Line, public std::enable_shared_from_this<NumberBot> {
 public:
  struct Options {
    std::shared_ptr<BotBackend> backend;
    std::shared_ptr<const SiteContacts> site;
    std::shared_ptr<const void> shared;  // keeps what the pointers name
    const safety::Gate* gate = nullptr;
    const safety::Texts* texts = nullptr;
    MessageMetrics* metrics = nullptr;
    bot::TurnDesk::Options turns;
    bot::GovernorLimits limits;
    bot::Outbox::Options outbox;
    net::SessionClock clock = net::SystemMoment;
  };
  static std::shared_ptr<NumberBot> Make(boost::asio::any_io_executor executor, std::shared_ptr<NumberPort> port,
                                         Options options);
  ~NumberBot() override;

  const std::string& number_id() const { return port_->number().id(); }

  // NumberLayer.
  void OnEvent(const wa::Event& event) override;
  bool OnStanza(const wa::StanzaReceived& stanza) override;
  void OnPreKeys(std::vector<wa::Record> records) override;
  boost::asio::awaitable<void> Drain() override;
  // The lease is lost, or the number is given up: nothing more is begun.
  void Abandon() override;

  // The store's feed has it. From any thread.
  void Deliver(bot::WaitingPart part);

 private:
  static constexpr std::chrono::seconds kDrainLimit{5};
  // Stanzas that wait for the store: more are not read before there are few again.
  static constexpr std::size_t kMostStanzas = 1'000, kFewStanzas = 250;

  NumberBot(boost::asio::any_io_executor executor, std::shared_ptr<NumberPort> port, Options options);

  // bot::Line.
  boost::asio::any_io_executor executor() override { return strand_; }
  std::shared_ptr<const void> Hold() override { return shared_from_this(); }
  wa::Moment now() override { return options_.clock(); }
  bool online() override { return online_ && layer_ != nullptr; }
  // And what an earlier owner has left is known: it goes first.
  bool caught_up() override { return online() && caught_up_ && looked_; }
  absl::Status Send(const wa::OutboundPart& part) override;
  void ShowTyping(const wa::Jid& chat, bool on) override;
  void MarkRead(const wa::Jid& chat, const std::vector<std::string>& ids) override;
  boost::asio::awaitable<absl::Status> EndPart(std::string stanza_id, bot::PartEnd end, std::string failure) override;

  void Begin();
  void Begin(const bot::WaitingPart& part);
  void Feed(const wa::Event& event);
  void Tell(const wa::Event& event);
  boost::asio::awaitable<void> MakeLayer();
  void Run(wa::MessageActions actions);
  void Do(wa::SendStanza& send);
  void Do(wa::LoadRecords& load);
  void Do(wa::MessageCommit& commit);
  void Do(wa::WaitUntil& until);
  void Do(wa::MessageEvent& event);
  boost::asio::awaitable<void> PumpStanzas();
  boost::asio::awaitable<void> Load(wa::LoadRecords load);
  boost::asio::awaitable<void> Commit(wa::MessageCommit commit);
  store::v1::AcceptOperation AcceptOf(const wa::InboundMessage& message, std::string* language);
  void AnswerWithoutStore(const wa::InboundMessage& message, const store::v1::AcceptOperation& accept,
                          std::shared_ptr<const bool> accepted);
  void OnAccepted(wa::InboundMessage message, std::string language, const store::v1::AcceptResult& result);
  void ArmTimer();
  boost::asio::awaitable<void> LookForPending();
  boost::asio::awaitable<void> SaveGovernor();
  boost::asio::awaitable<void> Report(store::v1::SetNumberStateOperation state);
  void Throttle();
  void UpdateGauges(bool leaving);

  const boost::asio::strand<boost::asio::any_io_executor> strand_;
  const std::shared_ptr<NumberPort> port_;
  const Options options_;

  // On the strand.
  bot::Screening screening_;
  bot::EmergencyTexts emergencies_;
  bot::Governor governor_;
  std::unique_ptr<bot::Outbox> outbox_;
  std::unique_ptr<bot::TurnDesk> turns_;
  std::unique_ptr<wa::MessageLayer> layer_;
  std::deque<wa::Event> early_;  // before the layer is there
  bool making_ = false;
  bool online_ = false;
  bool caught_up_ = false;
  bool closed_ = false;
  bool looked_ = false;  // once, at what is pending
  bool reading_paused_ = false;
  int committing_ = 0;
  std::deque<wa::Node> stanzas_;
  bool sending_ = false;
  std::optional<wa::Time> wait_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer look_;
  std::string saved_governor_;
  bot::SendState told_state_ = bot::SendState::kNormal;
  double counted_turns_ = 0, counted_replies_ = 0, counted_stanzas_ = 0;  // in the gauges
};

}  // namespace medidesk::gateway
