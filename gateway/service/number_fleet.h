// All numbers of this gateway: heartbeats, leases, and a runner for each number in its hands.
//
//   every 5 s   Heartbeat: what it lists is ours; what we run and it does not list is lost
//   every 2 s   AcquireNumbers, while there is room
//   10 s (90 s alone) after the sending of the last heartbeat that was answered: every socket is closed
//
// A number given up (switched off, a stop of this process) is drained, its socket closed, its lease released: another
// gateway takes it at once. Numbers are never handed over while both sides run: that is for the operator to ask.
//
// Thread-safe; one strand. Held by shared_ptr; Start once, Stop before letting go.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "gateway/service/gateway_identity.h"
#include "gateway/service/link_attempt.h"
#include "gateway/service/number_runner.h"

namespace medidesk::gateway {

class NumberFleet final : public std::enable_shared_from_this<NumberFleet> {
 public:
  static constexpr std::chrono::seconds kHeartbeat{5}, kLook{2}, kCall{4}, kRetry{1};
  static constexpr std::chrono::seconds kPasskeyGap{60};  // between a failed passkey attempt and the next

  struct Options {
    std::string address;  // where other services reach this gateway; may be empty
    std::string version;
    int max_numbers = 200;
    net::WhatsAppServer server;
    wa::SessionOptions session;
    std::shared_ptr<const SealingKeys> keys;
    std::string journal_folder;  // of all numbers, this process's alone; empty: they keep none
    std::optional<DeviceStoreClient::Client> store;
    GatewayMetrics* metrics = nullptr;  // outlives the fleet
    MakeNumberLayer make_layer;         // may be empty
  };

  static std::shared_ptr<NumberFleet> Make(boost::asio::any_io_executor executor, GatewayIdentity identity,
                                           Options options);

  void Start();
  // Gives every number up, for a stop: closes the sockets, releases the leases. Takes none any more.
  boost::asio::awaitable<void> Drain();
  // Ends what still runs, without a word to the store. Blocks until it has ended; from outside the event loop.
  void Stop();

  // Starts to link `number`, which is as the store has it. Errors as GatewayService.LinkNumber has them.
  boost::asio::awaitable<absl::StatusOr<std::shared_ptr<LinkAttempt>>> Link(store::v1::Number number,
                                                                            wa::LinkOptions link);
  // Nobody listens to the attempt any more: it ends, unless the phone has answered.
  void Leave(std::shared_ptr<LinkAttempt> attempt);
  boost::asio::awaitable<absl::Status> SubmitPasskey(std::string attempt_id, std::string assertion_json);
  boost::asio::awaitable<absl::Status> ConfirmPasskeyCode(std::string attempt_id, bool matches);
  // As NumberRunner::Unlink; then the lease is released. Errors as GatewayService.UnlinkNumber has them.
  boost::asio::awaitable<absl::StatusOr<bool>> Unlink(store::v1::Number number, bool force);

 private:
  struct Entry {
    std::shared_ptr<NumberRunner> runner;  // null: the lease is being taken
    std::shared_ptr<LinkAttempt> attempt;  // while the number is being linked
    std::int64_t beat = 0;                 // heartbeats sent when it was taken
    bool ending = false;                   // being stopped and released
  };

  NumberFleet(boost::asio::any_io_executor executor, GatewayIdentity identity, Options options);

  boost::asio::awaitable<void> Beat();
  boost::asio::awaitable<void> Look();
  void OnBeat(const store::v1::HeartbeatResponse& response, std::int64_t beat);
  void ArmExpiry();
  void OnExpired();
  void Lose(const std::string& number_id, const char* why);

  std::shared_ptr<NumberRunner> MakeRunner(store::v1::Lease lease);
  void StartNumber(store::v1::Lease lease);
  boost::asio::awaitable<void> Retake(std::string number_id);
  boost::asio::awaitable<absl::StatusOr<store::v1::Lease>> Take(std::string number_id);
  boost::asio::awaitable<void> Release(std::string number_id, std::int64_t token);
  boost::asio::awaitable<void> GiveUp(std::string number_id, bool switched_off = false);
  void OnRunnerEnd(const std::string& number_id, std::int64_t token, NumberRunner::End end);
  void OnLinkEvent(const std::shared_ptr<LinkAttempt>& attempt, const wa::Event& event);

  boost::asio::awaitable<bool> HaveContact();
  boost::asio::awaitable<absl::StatusOr<std::shared_ptr<LinkAttempt>>> DoLink(store::v1::Number number,
                                                                              wa::LinkOptions link);
  boost::asio::awaitable<absl::StatusOr<bool>> DoUnlink(store::v1::Number number, bool force);
  boost::asio::awaitable<void> DoDrain();
  boost::asio::awaitable<absl::StatusOr<std::shared_ptr<NumberRunner>>> RunnerOf(std::string attempt_id);
  int Room() const;

  const boost::asio::any_io_executor executor_;
  const boost::asio::strand<boost::asio::any_io_executor> strand_;
  const GatewayIdentity identity_;
  const Options options_;
  const std::shared_ptr<LeaseClock> clock_ = std::make_shared<LeaseClock>();

  // On the strand.
  std::map<std::string, Entry> entries_;  // by number id
  std::map<std::string, std::chrono::steady_clock::time_point> passkey_failures_;
  // Numbers that had to be loaded anew: not again before a pause that grows, or they would knock at WhatsApp for ever.
  struct Reload {
    int count = 0;
    std::chrono::steady_clock::time_point last, not_before;
  };
  std::map<std::string, Reload> reloads_;
  boost::asio::steady_timer beat_timer_, look_timer_, expiry_timer_;
  std::int64_t beats_ = 0;  // sent
  bool alone_known_ = false;
  bool away_ = false;  // the last heartbeat failed
  bool draining_ = false, stopping_ = false;
  int running_ = 0;  // loops
  std::promise<void> stopped_;
  bool started_ = false;  // by the thread that starts and stops
};

}  // namespace medidesk::gateway
