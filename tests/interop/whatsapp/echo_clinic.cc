// A linked device of a clinic that answers "echo: .." to every text: the gateway's session and message layer on a
// socket, over records in memory. Stands in for the gateway where a test wants the protocol alone.
//
//   echo-clinic WHATSAPP_URL ROOT_KEY_HEX      prints one JSON object a line:
//     {"qr":".."}  {"linked":"15550001111:1@s.whatsapp.net"}  {"state":N}
//     {"inbound":{"id","chat","phone","lid","kind","text","target","from_me","offline"}}
//     {"outcome":{"stanza_id","kind","code"}}  {"mark":{"stanza_id","state"}}
//   and reads commands, one a line:
//     {"send":{"chat":"..@lid","text":".."}}  {"disconnect":true}  {"reconnect":true}  {"echo":false}
//     {"drop_session":"222.._1.1"}
//
// Ends with 0 when its input ends.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/status.h"
#include "base/uuid.h"
#include "gateway/net/session_clock.h"
#include "gateway/net/session_driver.h"
#include "gateway/net/testing/memory_device_store.h"
#include "gateway/wa/messages/message_layer.h"

namespace {

namespace asio = boost::asio;
namespace json = boost::json;
namespace net = medidesk::gateway::net;
namespace wa = medidesk::gateway::wa;

using wa::MessageActions;

json::string Str(std::string_view text) { return json::string(text.data(), text.size()); }

void Print(const json::object& line) { std::cout << json::serialize(line) << std::endl; }

std::optional<wa::Key32> KeyFromHex(std::string_view hex) {
  wa::Key32 key{};
  if (hex.size() != 64) return std::nullopt;
  for (std::size_t i = 0; i < key.size(); ++i) {
    key[i] = static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(2 * i, 2)), nullptr, 16));
  }
  return key;
}

class Clinic final : public net::EventListener, public std::enable_shared_from_this<Clinic> {
 public:
  Clinic(asio::io_context& io, net::WhatsAppServer server, const wa::Key32& root_key)
      : io_(io), server_(std::move(server)), timer_(io) {
    options_.root_key = root_key;
    options_.presence = wa::Presence::kAvailable;
  }

  void Link() { Start(wa::Session::Link(options_, {}, net::SystemEntropy()).value()); }

  asio::awaitable<void> Command(std::string line) {
    const json::value value = json::parse(line);
    const json::object& command = value.as_object();
    if (const auto* send = command.if_contains("send")) {
      const std::string chat(send->at("chat").as_string()), text(send->at("text").as_string());
      if (const auto jid = wa::Jid::Parse(chat)) SendText(*jid, text);
    }
    if (command.contains("disconnect")) co_await driver_->Stop();
    if (command.contains("reconnect")) {
      co_await driver_->Stop();
      LogIn();
    }
    if (const auto* echo = command.if_contains("echo")) echo_ = echo->as_bool();
    if (const auto* name = command.if_contains("drop_session")) {
      store_->records.erase({wa::RecordKind::kSession, std::string(name->as_string())});
      co_await driver_->Stop();
      LogIn();
    }
  }
  asio::awaitable<void> Stop() {
    timer_.cancel();
    if (driver_) co_await driver_->Stop();
    stopped_ = true;
  }

  // ---- EventListener ----
  void OnEvent(const wa::Event& event) override {
    if (const auto* qr = std::get_if<wa::QrCodeShown>(&event)) Print({{"qr", Str(qr->text)}});
    if (const auto* linked = std::get_if<wa::Linked>(&event)) {
      Print({{"linked", Str(linked->account.jid.ToString())}});
      // The link is stored: from here on it is a login like any other.
      asio::co_spawn(io_, Restart(shared_from_this()), asio::detached);
    }
    if (const auto* state = std::get_if<wa::StateChanged>(&event)) {
      if (layer_) Print({{"state", static_cast<int>(state->state)}});
    }
    if (layer_) Run(layer_->OnEvent(net::SystemMoment(), event));
  }
  bool OnStanza(const wa::StanzaReceived& stanza) override {
    if (!layer_) return false;
    Run(layer_->OnEvent(net::SystemMoment(), stanza));
    return true;
  }

 private:
  static asio::awaitable<void> Restart(std::shared_ptr<Clinic> self) {
    co_await self->driver_->Stop();
    self->LogIn();
  }

  void LogIn() {
    const auto credentials =
        wa::DeviceCredentials::Parse(store_->records.at({wa::RecordKind::kCredentials, std::string(wa::kSelfKey)}))
            .value();
    const auto found = store_->records.find({wa::RecordKind::kSetting, std::string(wa::kSettingsKey)});
    const auto settings =
        found == store_->records.end() ? wa::DeviceSettings{} : wa::DeviceSettings::Parse(found->second).value();
    wa::MessageLayer::Options options;
    options.available = true;
    layer_ = std::make_unique<wa::MessageLayer>(options, credentials, net::SystemEntropy());
    Start(wa::Session::Login(options_, credentials, settings, net::SystemEntropy()).value());
  }

  void Start(std::unique_ptr<wa::Session> session) {
    net::SessionDriver::Options options{
        .server = server_, .name = "clinic", .store = store_, .listener = shared_from_this()};
    driver_ = net::SessionDriver::Start(io_.get_executor(), std::move(options), std::move(session));
  }

  void SendText(const wa::Jid& chat, const std::string& text) {
    if (!layer_) return;
    auto actions = layer_->Send(net::SystemMoment(), {.reply_id = medidesk::NewUuid(), .chat = chat, .text = text});
    if (actions.ok()) Run(*std::move(actions));
  }

  // ---- The layer's actions ----
  void Run(MessageActions actions) {
    for (wa::MessageAction& action : actions) queue_.push_back(std::move(action));
    if (std::exchange(running_, true)) return;
    while (!queue_.empty()) {
      wa::MessageAction action = std::move(queue_.front());
      queue_.pop_front();
      std::visit([this](auto& one) { Do(one); }, action);
    }
    running_ = false;
  }
  void Do(wa::SendStanza& send) {
    outgoing_.push_back(std::move(send.node));
    if (!std::exchange(sending_, true)) asio::co_spawn(io_, SendAll(shared_from_this()), asio::detached);
  }
  static asio::awaitable<void> SendAll(std::shared_ptr<Clinic> self) {
    while (!self->outgoing_.empty()) {
      wa::Node node = std::move(self->outgoing_.front());
      self->outgoing_.pop_front();
      const auto driver = self->driver_;
      (void)co_await driver->Send(std::move(node));
    }
    self->sending_ = false;
  }
  void Do(wa::LoadRecords& load) {
    std::vector<wa::Record> found;
    for (const wa::RecordName& name : load.names) {
      const auto it = store_->records.find({name.kind, name.key});
      if (it != store_->records.end()) found.push_back({.name = name, .value = it->second});
    }
    Run(layer_->OnLoaded(net::SystemMoment(), load.request, std::move(found)));
  }
  void Do(wa::MessageCommit& commit) {
    for (const wa::RecordName& name : commit.changes.deletes) store_->records.erase({name.kind, name.key});
    for (const wa::Record& put : commit.changes.puts) store_->records[{put.name.kind, put.name.key}] = put.value;
    for (const wa::DeliveryMark& mark : commit.marks) {
      Print({{"mark", json::object{{"stanza_id", Str(mark.stanza_id)}, {"state", static_cast<int>(mark.state)}}}});
    }
    Run(layer_->OnCommitted(net::SystemMoment(), commit.commit, wa::CommitOutcome::kStored));
    for (const wa::InboundMessage& message : commit.inbound) Tell(message);
  }
  void Tell(const wa::InboundMessage& message) {
    // As the store does: a message that comes again, by whatever way, is no new one.
    if (!seen_.insert(message.chat.ToString() + " " + message.id).second) return;
    Print({{"inbound", json::object{{"id", Str(message.id)},
                                    {"chat", Str(message.chat.ToString())},
                                    {"phone", Str(message.phone)},
                                    {"lid", Str(message.lid)},
                                    {"kind", static_cast<int>(message.kind)},
                                    {"text", Str(message.text)},
                                    {"target", Str(message.target_id)},
                                    {"from_me", message.from_me},
                                    {"offline", message.offline}}}});
    const bool turn = message.kind == wa::InboundKind::kText || message.kind == wa::InboundKind::kUnreadable;
    if (echo_ && turn && !message.from_me) SendText(message.chat, "echo: " + message.text);
  }
  void Do(wa::WaitUntil& until) {
    timer_.expires_at(until.time);
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error && !self->stopped_ && self->layer_) self->Run(self->layer_->OnTime(net::SystemMoment()));
    });
  }
  void Do(wa::MessageEvent& event) {
    if (const auto* outcome = std::get_if<wa::PartOutcome>(&event)) {
      Print({{"outcome", json::object{{"stanza_id", Str(outcome->stanza_id)},
                                      {"kind", static_cast<int>(outcome->kind)},
                                      {"code", outcome->code}}}});
    }
  }

  asio::io_context& io_;
  const net::WhatsAppServer server_;
  wa::SessionOptions options_;
  const std::shared_ptr<net::testing::MemoryDeviceStore> store_ = std::make_shared<net::testing::MemoryDeviceStore>();
  std::shared_ptr<net::SessionDriver> driver_;
  std::unique_ptr<wa::MessageLayer> layer_;
  asio::steady_timer timer_;
  std::deque<wa::MessageAction> queue_;
  std::deque<wa::Node> outgoing_;
  std::set<std::string> seen_;
  bool running_ = false, sending_ = false, echo_ = true, stopped_ = false;
};

asio::awaitable<void> ReadCommands(asio::io_context& io, std::shared_ptr<Clinic> clinic) {
  asio::posix::stream_descriptor input(io, ::dup(STDIN_FILENO));
  asio::streambuf buffer;
  try {
    for (;;) {
      co_await asio::async_read_until(input, buffer, '\n', asio::use_awaitable);
      std::istream stream(&buffer);
      std::string line;
      std::getline(stream, line);
      co_await clinic->Command(std::move(line));
    }
  } catch (const boost::system::system_error&) {
  }
  co_await clinic->Stop();
  io.stop();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: echo-clinic WHATSAPP_URL ROOT_KEY_HEX\n", stderr), 2;
  auto server = net::WhatsAppServer::Make(argv[1]);
  const auto root_key = KeyFromHex(argv[2]);
  if (!server.ok() || !root_key) return std::fputs("echo-clinic: the URL or the key is not valid\n", stderr), 2;
  asio::io_context io(1);
  const auto clinic = std::make_shared<Clinic>(io, *std::move(server), *root_key);
  clinic->Link();
  asio::co_spawn(io, ReadCommands(io, clinic), asio::detached);
  io.run();
  return 0;
}
