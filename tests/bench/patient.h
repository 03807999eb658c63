// A patient of the benchmark: a linked device on a phone of WhatsApp's simulator that writes to the hospital and reads
// its answers, on the gateway's own session and message layer with records in memory.
//
//   Link()  -> the simulator's phone scans our QR code -> `on_ready`, once, when the login after the link is open
//   Write() -> encrypted, sent; whatever text comes back -> `on_text`, decrypted
//
// Not thread-safe: the thread of its io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gateway/net/session_driver.h"
#include "gateway/net/testing/memory_device_store.h"
#include "gateway/wa/messages/message_layer.h"

namespace medidesk::bench {

class Patient final : public gateway::net::EventListener, public std::enable_shared_from_this<Patient> {
 public:
  struct Options {
    gateway::net::WhatsAppServer server;
    gateway::wa::Key32 root_key;
    gateway::wa::Jid hospital;
    std::function<void(const std::string& qr)> scan = {};  // as the phone's camera
    std::function<void()> on_ready = {};
    std::function<void(const std::string& text)> on_text = {};
    std::function<void(std::string why)> on_trouble = {};  // a message that was not sent, a link that failed
  };

  Patient(boost::asio::io_context& io, Options options);

  void Link();
  void Write(const std::string& text);
  boost::asio::awaitable<void> Stop();

  // ---- EventListener ----
  void OnEvent(const gateway::wa::Event& event) override;
  bool OnStanza(const gateway::wa::StanzaReceived& stanza) override;

 private:
  static boost::asio::awaitable<void> LogIn(std::shared_ptr<Patient> self);
  static boost::asio::awaitable<void> SendAll(std::shared_ptr<Patient> self);
  void Start(std::unique_ptr<gateway::wa::Session> session);
  void Run(gateway::wa::MessageActions actions);
  void Do(gateway::wa::SendStanza& send);
  void Do(gateway::wa::LoadRecords& load);
  void Do(gateway::wa::MessageCommit& commit);
  void Do(gateway::wa::WaitUntil& until);
  void Do(gateway::wa::MessageEvent& event);

  boost::asio::io_context& io_;
  const Options options_;
  gateway::wa::SessionOptions session_options_;
  const std::shared_ptr<gateway::net::testing::MemoryDeviceStore> store_ =
      std::make_shared<gateway::net::testing::MemoryDeviceStore>();
  std::shared_ptr<gateway::net::SessionDriver> driver_;
  std::unique_ptr<gateway::wa::MessageLayer> layer_;  // once linked
  boost::asio::steady_timer timer_;
  std::deque<gateway::wa::MessageAction> queue_;
  std::deque<gateway::wa::Node> outgoing_;
  bool ready_ = false, running_ = false, sending_ = false, stopped_ = false;
};

}  // namespace medidesk::bench
