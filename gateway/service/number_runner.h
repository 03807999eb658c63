// One number in this gateway's hands, from taking its lease to giving it up.
//
//   Login   the journal of an earlier run, what is stored -> Session::Login -> driver      Link   Session::Link ->
//   driver, which goes on as a login
//
// Every change of the connection's state is written to the number's row, the latest one where they come faster than the
// store takes them. Records under an older master key are sealed anew while the number runs.
//
// Thread-safe; one strand of its own beside the driver's. Held by shared_ptr; Stop or Abandon before letting go.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "gateway/net/session_driver.h"
#include "gateway/service/device_store_client.h"
#include "gateway/service/gateway_metrics.h"
#include "gateway/service/lease_clock.h"
#include "gateway/service/number_layer.h"
#include "gateway/wa/session.h"

namespace medidesk::gateway {

class NumberRunner final : public net::EventListener, public std::enable_shared_from_this<NumberRunner> {
 public:
  // Why it cannot go on by itself.
  enum class End {
    kLeaseLost,  // another gateway owns the number: Abandon
    kReload,     // what is in memory and what is stored may differ: Abandon, take the lease anew, start again
  };
  using OnLinkEvent = std::function<void(const wa::Event&)>;

  struct Options {
    store::v1::Lease lease;
    net::WhatsAppServer server;
    wa::SessionOptions session;
    std::shared_ptr<const SealingKeys> keys;
    std::string journal_folder;               // where its journal is; empty: it keeps none
    std::shared_ptr<const LeaseClock> clock;  // asked before every byte
    std::optional<DeviceStoreClient::Client> store;
    GatewayMetrics* metrics = nullptr;  // outlives the runner
    MakeNumberLayer make_layer;         // may be empty
    std::function<void(End)> on_end = [](End) {};
  };
  static std::shared_ptr<NumberRunner> Make(boost::asio::any_io_executor executor, Options options);
  ~NumberRunner() override;

  // Once, one of them.
  void Login();
  void Link(wa::LinkOptions link, OnLinkEvent on_event);

  // Closes the socket, writes the last state, lets go of the store. The lease is still held. `switched_off`: an
  // operator has asked for it, and whoever takes the number next logs in, whatever it had stopped for.
  boost::asio::awaitable<void> Stop(bool switched_off = false);
  // The number is not ours any more: the socket ends at once and nothing more is written.
  void Abandon();

  // Removes the device from the account and every key from the store, and ends the session. Whether WhatsApp has
  // confirmed. UNAVAILABLE when it has not and `force` is not set: the keys are kept.
  boost::asio::awaitable<absl::StatusOr<bool>> Unlink(bool force);
  boost::asio::awaitable<absl::Status> SubmitPasskey(std::string assertion_json);
  boost::asio::awaitable<absl::Status> ConfirmPasskeyCode(bool matches);

  const std::string& number_id() const { return options_.lease.number().id(); }
  std::int64_t lease_token() const { return options_.lease.lease_token(); }
  wa::ConnectionState state() const { return state_.load(); }

  // EventListener, on the driver's strand.
  void OnEvent(const wa::Event& event) override;
  bool OnStanza(const wa::StanzaReceived& stanza) override;

 private:
  class Port;

  NumberRunner(boost::asio::any_io_executor executor, Options options);

  boost::asio::awaitable<void> LoadAndLogin();
  boost::asio::awaitable<absl::StatusOr<std::unique_ptr<wa::Session>>> LoadSession();
  void Start(std::unique_ptr<wa::Session> session);
  void Refuse(const std::string& reason, const absl::Status& status);
  void Handle(const wa::Event& event);
  void SetState(wa::ConnectionState state);
  void EndMetrics();
  void Report(const wa::StateChanged& change);
  boost::asio::awaitable<void> WriteReports();
  boost::asio::awaitable<void> Finish(bool switched_off);
  boost::asio::awaitable<absl::StatusOr<bool>> DoUnlink(bool force);
  boost::asio::awaitable<void> Reseal();
  boost::asio::awaitable<std::shared_ptr<net::SessionDriver>> CurrentDriver();

  const boost::asio::strand<boost::asio::any_io_executor> strand_;
  const Options options_;
  const GatewayMetrics::Number metrics_;
  const std::shared_ptr<NumberWriter> writer_;
  const std::shared_ptr<DeviceStoreClient> devices_;
  const std::shared_ptr<Port> port_;
  std::shared_ptr<NumberLayer> layer_;  // set before the driver starts
  std::atomic<wa::ConnectionState> state_{wa::ConnectionState::kStopped};

  // On the strand.
  std::shared_ptr<net::SessionDriver> driver_;
  OnLinkEvent on_link_event_;
  bool linking_ = false;  // and not linked yet
  bool logged_in_ = false;
  bool stopping_ = false;
  bool ended_ = false;                                        // Stop or Abandon is done: the number is counted no more
  std::optional<store::v1::SetNumberStateOperation> report_;  // to be written
  bool reporting_ = false;
  boost::asio::steady_timer pause_;
  std::optional<bool> logged_out_;  // WhatsApp's answer to a logout
  boost::asio::steady_timer logout_;
};

}  // namespace medidesk::gateway
