// Runs one number's wa::Session: sockets, timers, the store, and events to the number's owner.
//
//   session -> Connect, SendBytes, Close   -> WhatsAppSocket      session <- OnConnected, OnBytes, OnClosed
//           -> WaitUntil                   -> a timer             session <- OnTime
//           -> LoadRecords, Commit         -> DeviceStore         session <- OnLoaded, OnCommitted
//           -> Deliver                     -> EventListener
//
// Everything of one driver happens on one strand; drivers share the threads of their executor. A change of the
// connection's state is one log line, with reason and detail.
//
// Thread-safe: every method may be called from anywhere. The coroutines resume on their caller's executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/net/device_store.h"
#include "gateway/net/session_clock.h"
#include "gateway/net/whatsapp_server.h"
#include "gateway/net/whatsapp_socket.h"
#include "gateway/wa/session.h"

namespace medidesk::gateway::net {

// Called on the driver's strand, one call at a time; must not block. May call the driver's methods.
class EventListener {
 public:
  virtual ~EventListener() = default;

  virtual void OnEvent(const wa::Event& event) = 0;
  // Instead of OnEvent. True: the listener acknowledges it (Send) once its effect is durable. False: nobody wants it,
  // and the driver acknowledges it, so that the server does not send it for ever.
  virtual bool OnStanza(const wa::StanzaReceived& stanza) = 0;
};

class SessionDriver final : public std::enable_shared_from_this<SessionDriver> {
 public:
  static constexpr std::chrono::seconds kStopLimit{5};

  struct Options {
    WhatsAppServer server;
    std::string name;  // of the number in log lines: the operator's short name, never digits of a phone
    std::shared_ptr<DeviceStore> store;
    std::shared_ptr<EventListener> listener;
    SessionClock clock = SystemMoment;
    // Asked before every connect and every message: false, and the driver abandons itself. Empty: always.
    std::function<bool()> may_write = {};
  };

  // `session` is fresh. The driver lives until Stop has returned.
  static std::shared_ptr<SessionDriver> Start(boost::asio::any_io_executor executor, Options options,
                                              std::unique_ptr<wa::Session> session);
  ~SessionDriver();

  // As the session has them.
  boost::asio::awaitable<absl::Status> Send(wa::Node stanza);
  boost::asio::awaitable<absl::Status> SubmitPasskey(std::string assertion_json);
  boost::asio::awaitable<absl::Status> ConfirmPasskeyCode(bool matches);
  void Logout();
  void Reconnect();
  // On: after the read that is under way nothing more is read from the socket, so that the peer waits; sending goes
  // on. Holds over reconnects.
  void PauseReading(bool on);

  // Lets commits that were asked for come to their end and closes the connection with a close frame, both within
  // kStopLimit; then the listener hears nothing more. Idempotent.
  boost::asio::awaitable<void> Stop();
  // Ends the connection at once, without a close frame or a further commit: the number is not ours any more. Stop
  // follows.
  void Abandon();

  // The clock has jumped: look at the timers again.
  void Wake();

 private:
  using Work = std::variant<wa::LoadRecords, wa::Commit>;

  SessionDriver(boost::asio::any_io_executor executor, Options options, std::unique_ptr<wa::Session> session);

  void Post(std::function<void(SessionDriver&)> task);
  boost::asio::awaitable<absl::Status> Ask(std::function<absl::Status(SessionDriver&)> task);
  bool MayWrite() const;
  void Run(wa::Actions actions);
  void Do(wa::Connect& connect);
  void Do(wa::SendBytes& send);
  void Do(wa::Close& close);
  void Do(wa::WaitUntil& until);
  void Do(wa::LoadRecords& load);
  void Do(wa::Commit& commit);
  void Do(wa::Deliver& deliver);
  void AcknowledgeUnwanted();
  void LogState(const wa::StateChanged& state) const;
  void ArmTimer();
  void PushWork(Work work);

  boost::asio::awaitable<void> RunConnection(std::uint64_t id, std::shared_ptr<WhatsAppSocket> socket);
  boost::asio::awaitable<void> RunWork();
  boost::asio::awaitable<void> Finish();

  wa::Moment now() const { return options_.clock(); }

  const boost::asio::any_io_executor strand_;
  const Options options_;
  const std::unique_ptr<wa::Session> session_;
  boost::asio::steady_timer timer_;
  std::optional<wa::Time> wait_;
  std::shared_ptr<WhatsAppSocket> socket_;  // the current connection's; null: none
  std::uint64_t connection_ = 0;
  std::vector<std::shared_ptr<WhatsAppSocket>> closing_;  // sockets that say goodbye
  std::deque<Work> work_;
  bool working_ = false;
  boost::asio::steady_timer retry_;  // between two tries of the store
  bool reading_paused_ = false;
  boost::asio::steady_timer reading_;  // cancelled when it may go on
  std::deque<wa::Node> unwanted_;      // stanzas to acknowledge
  bool stopping_ = false;              // Stop or Abandon was called
  bool abandoned_ = false;
  bool stopped_ = false;  // the listener hears nothing more
};

}  // namespace medidesk::gateway::net
