#include "tests/bench/patient.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <optional>
#include <variant>
#include <vector>

#include "base/uuid.h"
#include "gateway/net/session_clock.h"

namespace medidesk::bench {

namespace asio = boost::asio;
namespace net = gateway::net;
namespace wa = gateway::wa;

Patient::Patient(asio::io_context& io, Options options) : io_(io), options_(std::move(options)), timer_(io) {
  session_options_.root_key = options_.root_key;
  session_options_.presence = wa::Presence::kAvailable;
}

void Patient::Link() { Start(wa::Session::Link(session_options_, {}, net::SystemEntropy()).value()); }

void Patient::Write(const std::string& text) {
  auto actions = layer_->Send(net::SystemMoment(), {.reply_id = NewUuid(), .chat = options_.hospital, .text = text});
  if (actions.ok()) {
    Run(*std::move(actions));
  } else {
    options_.on_trouble("a message could not be sent");
  }
}

asio::awaitable<void> Patient::Stop() {
  stopped_ = true;
  timer_.cancel();
  if (driver_) co_await driver_->Stop();
}

void Patient::OnEvent(const wa::Event& event) {
  if (const auto* qr = std::get_if<wa::QrCodeShown>(&event); qr != nullptr && qr->index == 1) options_.scan(qr->text);
  if (std::holds_alternative<wa::LinkFailed>(event)) options_.on_trouble("a link failed");
  // The link is stored: from here on it is a login like any other.
  if (std::holds_alternative<wa::Linked>(event)) asio::co_spawn(io_, LogIn(shared_from_this()), asio::detached);
  if (!layer_) return;
  Run(layer_->OnEvent(net::SystemMoment(), event));
  const auto* state = std::get_if<wa::StateChanged>(&event);
  if (state == nullptr) return;
  if (state->state == wa::ConnectionState::kConnected) {
    if (!std::exchange(ready_, true)) options_.on_ready();
  } else if (ready_ && !stopped_) {
    options_.on_trouble("a patient's connection was lost");
  }
}

bool Patient::OnStanza(const wa::StanzaReceived& stanza) {
  if (!layer_) return false;
  Run(layer_->OnEvent(net::SystemMoment(), stanza));
  return true;
}

asio::awaitable<void> Patient::LogIn(std::shared_ptr<Patient> self) {
  co_await self->driver_->Stop();
  const auto& records = self->store_->records;
  const auto credentials =
      wa::DeviceCredentials::Parse(records.at({wa::RecordKind::kCredentials, std::string(wa::kSelfKey)})).value();
  const auto found = records.find({wa::RecordKind::kSetting, std::string(wa::kSettingsKey)});
  const auto settings =
      found == records.end() ? wa::DeviceSettings{} : wa::DeviceSettings::Parse(found->second).value();
  wa::MessageLayer::Options options;
  options.available = true;
  self->layer_ = std::make_unique<wa::MessageLayer>(options, credentials, net::SystemEntropy());
  self->Start(wa::Session::Login(self->session_options_, credentials, settings, net::SystemEntropy()).value());
}

void Patient::Start(std::unique_ptr<wa::Session> session) {
  net::SessionDriver::Options options{
      .server = options_.server, .name = "patient", .store = store_, .listener = shared_from_this()};
  driver_ = net::SessionDriver::Start(io_.get_executor(), std::move(options), std::move(session));
}

void Patient::Run(wa::MessageActions actions) {
  for (wa::MessageAction& action : actions) queue_.push_back(std::move(action));
  if (std::exchange(running_, true)) return;
  while (!queue_.empty()) {
    wa::MessageAction action = std::move(queue_.front());
    queue_.pop_front();
    std::visit([this](auto& one) { Do(one); }, action);
  }
  running_ = false;
}

void Patient::Do(wa::SendStanza& send) {
  outgoing_.push_back(std::move(send.node));
  if (!std::exchange(sending_, true)) asio::co_spawn(io_, SendAll(shared_from_this()), asio::detached);
}

asio::awaitable<void> Patient::SendAll(std::shared_ptr<Patient> self) {
  while (!self->outgoing_.empty()) {
    wa::Node node = std::move(self->outgoing_.front());
    self->outgoing_.pop_front();
    const auto driver = self->driver_;
    (void)co_await driver->Send(std::move(node));
  }
  self->sending_ = false;
}

void Patient::Do(wa::LoadRecords& load) {
  std::vector<wa::Record> found;
  for (const wa::RecordName& name : load.names) {
    const auto it = store_->records.find({name.kind, name.key});
    if (it != store_->records.end()) found.push_back({.name = name, .value = it->second});
  }
  Run(layer_->OnLoaded(net::SystemMoment(), load.request, std::move(found)));
}

void Patient::Do(wa::MessageCommit& commit) {
  for (const wa::RecordName& name : commit.changes.deletes) store_->records.erase({name.kind, name.key});
  for (const wa::Record& put : commit.changes.puts) store_->records[{put.name.kind, put.name.key}] = put.value;
  Run(layer_->OnCommitted(net::SystemMoment(), commit.commit, wa::CommitOutcome::kStored));
  for (const wa::InboundMessage& message : commit.inbound) {
    if (!message.from_me && message.kind == wa::InboundKind::kText) options_.on_text(message.text);
    if (message.kind == wa::InboundKind::kUndecryptable) options_.on_trouble("an answer could not be decrypted");
  }
}

void Patient::Do(wa::WaitUntil& until) {
  timer_.expires_at(until.time);
  timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error && !self->stopped_) self->Run(self->layer_->OnTime(net::SystemMoment()));
  });
}

void Patient::Do(wa::MessageEvent& event) {
  const auto* outcome = std::get_if<wa::PartOutcome>(&event);
  if (outcome != nullptr && outcome->kind != wa::PartOutcome::Kind::kAcknowledged) {
    options_.on_trouble("a message was not acknowledged");
  }
}

}  // namespace medidesk::bench
