#include "gateway/service/number_fleet.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/rpc/error_details.h"
#include "base/status.h"
#include "base/uuid.h"

namespace medidesk::gateway {
namespace {

namespace asio = boost::asio;
namespace v1 = store::v1;
using wa::ConnectionState;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr int kMaxAcquired = 50;  // at once
constexpr std::chrono::milliseconds kLookAgain{10};
constexpr std::chrono::seconds kContact{5};  // to wait for the store
constexpr std::chrono::seconds kFirstReload{1}, kLongestReload{300}, kReloadForgotten{1'800};

absl::Status Refused(std::string_view text, std::string_view reason,
                     const std::map<std::string, std::string>& metadata = {}) {
  return rpc::WithReason(Error(absl::StatusCode::kFailedPrecondition, text), reason, metadata);
}
absl::Status NotOwner(const std::string& address) {
  return Refused("another gateway owns this number; ask that one", "NOT_OWNER", {{"owner_address", address}});
}
absl::Status NoStore() {
  return Error(absl::StatusCode::kUnavailable, "the gateway has no contact with the store yet; try again");
}
absl::Status Stopping() { return Error(absl::StatusCode::kUnavailable, "the gateway is stopping; try again"); }
absl::Status Busy() {
  return Error(absl::StatusCode::kAborted, "this number is being linked, unlinked or handed over; try again soon");
}

}  // namespace

std::shared_ptr<NumberFleet> NumberFleet::Make(asio::any_io_executor executor, GatewayIdentity identity,
                                               Options options) {
  return std::shared_ptr<NumberFleet>(new NumberFleet(std::move(executor), std::move(identity), std::move(options)));
}

NumberFleet::NumberFleet(asio::any_io_executor executor, GatewayIdentity identity, Options options)
    : executor_(executor),
      strand_(asio::make_strand(executor)),
      identity_(std::move(identity)),
      options_(std::move(options)),
      beat_timer_(strand_),
      look_timer_(strand_),
      expiry_timer_(strand_) {}

void NumberFleet::Start() {
  log::Info("gateway.identity",
            {{"gateway", log::Public(identity_.gateway_id())}, {"lock_held", identity_.lock_held()}});
  started_ = true;
  running_ = 1;
  asio::co_spawn(
      strand_, [self = shared_from_this()] { return self->Beat(); }, asio::detached);
}

void NumberFleet::Stop() {
  if (!std::exchange(started_, false)) return;
  std::future<void> stopped = stopped_.get_future();
  asio::post(strand_, [self = shared_from_this()] {
    self->stopping_ = true;
    self->beat_timer_.cancel();
    self->look_timer_.cancel();
    self->expiry_timer_.cancel();
    for (auto& [id, entry] : self->entries_) {
      if (entry.runner) entry.runner->Abandon();
    }
    self->entries_.clear();
  });
  stopped.wait_for(kCall + kCall);
}

// ---- Heartbeats and leases ----------------------------------------------------------------------

asio::awaitable<void> NumberFleet::Beat() {
  bool looking = false;
  while (!stopping_) {
    v1::HeartbeatRequest request;
    request.set_gateway_id(identity_.gateway_id());
    request.set_instance_id(identity_.instance_id());
    request.set_address(options_.address);
    request.set_version(options_.version);
    request.set_free_capacity(Room());
    request.set_sequence(++beats_);
    request.set_alone_known(alone_known_);
    const std::int64_t beat = beats_;
    const LeaseClock::Time sent = LeaseClock::Now();
    const rpc::CallOptions soon = rpc::Within(kCall);
    const auto answer = co_await options_.store->Call(MD_METHOD(Heartbeat), std::move(request), soon);
    if (stopping_) break;
    if (answer.ok()) {
      alone_known_ = answer->alone();
      clock_->OnAnswer(sent, answer->alone());
      ArmExpiry();
      OnBeat(*answer, beat);
      options_.metrics->heartbeats_ok.Increment();
      if (std::exchange(away_, false)) log::Info("gateway.store_back");
      if (!std::exchange(looking, true)) {
        ++running_;
        asio::co_spawn(
            strand_, [self = shared_from_this()] { return self->Look(); }, asio::detached);
      }
    } else {
      options_.metrics->heartbeats_failed.Increment();
      if (!std::exchange(away_, true)) {
        log::Warning("gateway.store_away", {{"code", static_cast<int>(answer.status().code())}});
      }
    }
    const auto next = answer.ok() ? sent + kHeartbeat - LeaseClock::Now() : LeaseClock::Duration(kRetry);
    beat_timer_.expires_after(std::max(next, LeaseClock::Duration(0)));
    co_await beat_timer_.async_wait(kToken);
  }
  if (--running_ == 0) stopped_.set_value();
}

// Standbys, and owners with room, look for numbers without an owner.
asio::awaitable<void> NumberFleet::Look() {
  while (!stopping_) {
    if (Room() > 0 && clock_->Holds()) {
      v1::AcquireNumbersRequest request;
      request.set_gateway_id(identity_.gateway_id());
      request.set_instance_id(identity_.instance_id());
      request.set_max_numbers(std::min(Room(), kMaxAcquired));
      request.set_lock_held(identity_.lock_held());
      const rpc::CallOptions soon = rpc::Within(kCall);
      auto taken = co_await options_.store->Call(MD_METHOD(AcquireNumbers), std::move(request), soon);
      if (stopping_) break;
      if (taken.ok()) {
        for (v1::Lease& lease : *taken->mutable_leases()) StartNumber(std::move(lease));
      }
    }
    look_timer_.expires_after(kLook);
    co_await look_timer_.async_wait(kToken);
  }
  if (--running_ == 0) stopped_.set_value();
}

// A person who links right after a start need not know of heartbeats.
asio::awaitable<bool> NumberFleet::HaveContact() {
  asio::steady_timer look(strand_);
  const auto end = std::chrono::steady_clock::now() + kContact;
  while (!clock_->Holds() && !stopping_ && std::chrono::steady_clock::now() < end) {
    look.expires_after(kLookAgain);
    co_await look.async_wait(kToken);
  }
  co_return clock_->Holds();
}

int NumberFleet::Room() const {
  return draining_ ? 0 : std::max(0, options_.max_numbers - static_cast<int>(entries_.size()));
}

void NumberFleet::OnBeat(const v1::HeartbeatResponse& response, std::int64_t beat) {
  std::map<std::string, const v1::HeldLease*> held;
  for (const v1::HeldLease& lease : response.leases()) held[lease.number_id()] = &lease;
  std::vector<std::string> lost;
  for (const auto& [id, entry] : entries_) {
    // What was taken after this heartbeat had been sent may be missing in its answer.
    if (entry.runner == nullptr || entry.ending || entry.beat >= beat) continue;
    const auto lease = held.find(id);
    if (lease == held.end() || lease->second->lease_token() != entry.runner->lease_token()) lost.push_back(id);
  }
  for (const std::string& id : lost) Lose(id, "heartbeat");
  for (const auto& [id, lease] : held) {
    const auto entry = entries_.find(id);
    if (entry == entries_.end()) {
      // Ours by the store, but not running: given up without the store, or a release that did not reach it.
      const bool release = lease->release_wanted() || draining_;
      const auto reload = reloads_.find(id);
      if (!release && reload != reloads_.end() && std::chrono::steady_clock::now() < reload->second.not_before)
        continue;
      asio::awaitable<void> work = release ? Release(id, lease->lease_token()) : Retake(id);
      if (!release) entries_[id].beat = beats_;
      asio::co_spawn(strand_, std::move(work), asio::detached);
    } else if (lease->release_wanted() && entry->second.runner && !entry->second.ending) {
      log::Info("gateway.number_released", {{"number_id", log::Public(id)}});
      asio::co_spawn(strand_, GiveUp(id, /*switched_off=*/true), asio::detached);
    }
  }
}

void NumberFleet::ArmExpiry() {
  expiry_timer_.expires_after(clock_->held_until() - LeaseClock::Now());
  expiry_timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->stopping_) return;
    // Answered while this call was on its way.
    if (self->clock_->Holds()) return self->ArmExpiry();
    self->OnExpired();
  });
}

void NumberFleet::OnExpired() {
  if (entries_.empty()) return;
  log::Warning("gateway.leases_expired", {{"numbers", static_cast<int>(entries_.size())}});
  std::vector<std::string> ids;
  for (const auto& [id, entry] : entries_) {
    if (entry.runner) ids.push_back(id);
  }
  for (const std::string& id : ids) Lose(id, "expired");
}

void NumberFleet::Lose(const std::string& number_id, const char* why) {
  const auto found = entries_.find(number_id);
  if (found == entries_.end()) return;
  const Entry entry = std::move(found->second);
  entries_.erase(found);
  log::Warning("gateway.number_lost", {{"number_id", log::Public(number_id)}, {"by", log::Public(why)}});
  options_.metrics->leases_lost.Increment();
  if (entry.runner) entry.runner->Abandon();
  if (entry.attempt) {
    const wa::LinkFailed failed{.reason = wa::LinkFailure::kStore,
                                .advice = "The gateway lost the store or the number's lease. Start again."};
    entry.attempt->Push(failed);
  }
}

// ---- Numbers ------------------------------------------------------------------------------------

std::shared_ptr<NumberRunner> NumberFleet::MakeRunner(v1::Lease lease) {
  NumberRunner::Options options;
  options.server = options_.server;
  options.session = options_.session;
  options.keys = options_.keys;
  options.journal_folder = options_.journal_folder;
  options.clock = clock_;
  options.store = options_.store;
  options.metrics = options_.metrics;
  options.make_layer = options_.make_layer;
  options.on_end = [weak = weak_from_this(), id = lease.number().id(),
                    token = lease.lease_token()](NumberRunner::End end) {
    const auto self = weak.lock();
    if (!self) return;
    asio::post(self->strand_, [self, id, token, end] { self->OnRunnerEnd(id, token, end); });
  };
  options.lease = std::move(lease);
  return NumberRunner::Make(executor_, std::move(options));
}

void NumberFleet::StartNumber(v1::Lease lease) {
  const std::string id = lease.number().id();
  const std::int64_t token = lease.lease_token();
  const bool has_device = !lease.number().device_jid().empty();
  if (draining_ || stopping_ || !has_device) {
    entries_.erase(id);
    return asio::co_spawn(strand_, Release(id, token), asio::detached);
  }
  if (!clock_->Holds()) {
    entries_.erase(id);  // the answer came too late; the next heartbeat tells whether it is still ours
    return;
  }
  log::Info("gateway.number_taken", {{"number", log::Public(lease.number().name())}});
  Entry& entry = entries_[id];
  entry.beat = beats_;
  entry.runner = MakeRunner(std::move(lease));
  entry.runner->Login();
}

asio::awaitable<absl::StatusOr<v1::Lease>> NumberFleet::Take(std::string number_id) {
  v1::TakeLeaseRequest request;
  request.set_gateway_id(identity_.gateway_id());
  request.set_instance_id(identity_.instance_id());
  request.set_number_id(std::move(number_id));
  request.set_lock_held(identity_.lock_held());
  const rpc::CallOptions soon = rpc::Within(kCall);
  auto taken = co_await options_.store->Call(MD_METHOD(TakeLease), std::move(request), soon);
  if (!taken.ok()) co_return taken.status();
  co_return std::move(*taken->mutable_lease());
}

asio::awaitable<void> NumberFleet::Retake(std::string number_id) {
  auto lease = co_await Take(number_id);
  const auto entry = entries_.find(number_id);
  if (entry == entries_.end() || entry->second.runner) co_return;
  if (!lease.ok()) {
    entries_.erase(entry);  // the next heartbeat tells whose it is
    co_return;
  }
  StartNumber(*std::move(lease));
}

asio::awaitable<void> NumberFleet::Release(std::string number_id, std::int64_t token) {
  v1::ReleaseLeaseRequest request;
  request.set_number_id(std::move(number_id));
  request.set_lease_token(token);
  const rpc::CallOptions soon = rpc::Within(kCall);
  // Where it does not come through, the next heartbeat's answer lists the lease once more.
  const auto released = co_await options_.store->Call(MD_METHOD(ReleaseLease), std::move(request), soon);
  if (!released.ok()) {
    log::Warning("gateway.release_failed", {{"code", static_cast<int>(released.status().code())}});
  }
}

asio::awaitable<void> NumberFleet::GiveUp(std::string number_id, bool switched_off) {
  const auto found = entries_.find(number_id);
  if (found == entries_.end() || !found->second.runner || std::exchange(found->second.ending, true)) co_return;
  const std::shared_ptr<NumberRunner> runner = found->second.runner;
  co_await runner->Stop(switched_off);
  co_await Release(number_id, runner->lease_token());
  const auto entry = entries_.find(number_id);
  if (entry != entries_.end() && entry->second.runner == runner) entries_.erase(entry);
}

void NumberFleet::OnRunnerEnd(const std::string& number_id, std::int64_t token, NumberRunner::End end) {
  const auto entry = entries_.find(number_id);
  if (entry == entries_.end() || !entry->second.runner || entry->second.runner->lease_token() != token) return;
  // After kReload the heartbeat still lists the lease, and the number is taken anew when its pause is over.
  if (end == NumberRunner::End::kReload) {
    const auto now = std::chrono::steady_clock::now();
    Reload& reload = reloads_[number_id];
    if (now - reload.last > kReloadForgotten) reload.count = 0;
    reload.last = now;
    reload.not_before =
        now + std::min<std::chrono::steady_clock::duration>(kLongestReload, kFirstReload * (1 << reload.count));
    reload.count = std::min(reload.count + 1, 10);
  }
  Lose(number_id, end == NumberRunner::End::kLeaseLost ? "refused" : "reload");
}

asio::awaitable<void> NumberFleet::Drain() {
  asio::awaitable<void> draining = DoDrain();
  co_await asio::co_spawn(strand_, std::move(draining), asio::use_awaitable);
}

asio::awaitable<void> NumberFleet::DoDrain() {
  const auto self = shared_from_this();
  draining_ = true;
  std::vector<std::string> ids;
  for (auto& [id, entry] : entries_) {
    ids.push_back(id);
    if (!entry.attempt) continue;
    const wa::LinkFailed failed{.reason = wa::LinkFailure::kDisconnected,
                                .advice = "The gateway is being stopped. Start again when it is back."};
    entry.attempt->Push(failed);
  }
  for (const std::string& id : ids) asio::co_spawn(strand_, GiveUp(id), asio::detached);
  asio::steady_timer look(strand_);
  while (!entries_.empty() && !stopping_) {
    look.expires_after(kLookAgain);
    co_await look.async_wait(kToken);
  }
}

// ---- Linking ------------------------------------------------------------------------------------

asio::awaitable<absl::StatusOr<std::shared_ptr<LinkAttempt>>> NumberFleet::Link(v1::Number number,
                                                                                wa::LinkOptions link) {
  asio::awaitable<absl::StatusOr<std::shared_ptr<LinkAttempt>>> linking = DoLink(std::move(number), std::move(link));
  co_return co_await asio::co_spawn(strand_, std::move(linking), asio::use_awaitable);
}

asio::awaitable<absl::StatusOr<std::shared_ptr<LinkAttempt>>> NumberFleet::DoLink(v1::Number number,
                                                                                  wa::LinkOptions link) {
  const auto self = shared_from_this();
  const std::string id = number.id();
  if (draining_ || stopping_) co_return Stopping();
  const bool contact = co_await HaveContact();
  if (!contact) co_return NoStore();
  const auto failure = passkey_failures_.find(id);
  if (failure != passkey_failures_.end()) {
    const auto since = std::chrono::steady_clock::now() - failure->second;
    if (since < kPasskeyGap) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(kPasskeyGap - since);
      co_return rpc::WithRetryDelay(Error(absl::StatusCode::kResourceExhausted,
                                          "a passkey attempt of this number has just failed; wait a minute"),
                                    left);
    }
    passkey_failures_.erase(failure);
  }
  const bool has_device = !number.device_jid().empty();
  auto found = entries_.find(id);
  if (found != entries_.end() && (found->second.attempt || found->second.ending || !found->second.runner)) {
    co_return Busy();
  }
  const bool out = found != entries_.end() ? found->second.runner->state() == ConnectionState::kNeedsLink
                                           : number.state() == v1::NUMBER_STATE_NEEDS_LINK;
  if (has_device && !out) {
    co_return Refused("the number is linked; unlink it first", "ALREADY_LINKED");
  }
  if (!number.enabled()) {
    co_return Refused("the number is switched off; switch it on first", "NUMBER_DISABLED");
  }
  if (found != entries_.end()) {
    // Logged out, and in our hands: the attempt takes its place, under a token of its own.
    const std::shared_ptr<NumberRunner> runner = found->second.runner;
    found->second.ending = true;
    co_await runner->Stop();
    found = entries_.find(id);
    if (found == entries_.end() || found->second.runner != runner) co_return Busy();
  }
  auto attempt = std::make_shared<LinkAttempt>(asio::any_io_executor(asio::make_strand(executor_)), NewUuid(), id);
  Entry& entry = entries_[id];
  entry = Entry();
  entry.attempt = attempt;
  entry.beat = beats_;
  auto lease = co_await Take(id);
  found = entries_.find(id);
  const bool ours = found != entries_.end() && found->second.attempt == attempt && !draining_ && !stopping_;
  if (!lease.ok() || !ours) {
    if (found != entries_.end() && found->second.attempt == attempt) entries_.erase(found);
    if (lease.ok()) {
      asio::co_spawn(strand_, Release(id, lease->lease_token()), asio::detached);
      co_return Stopping();
    }
    if (rpc::Reason(lease.status()) == "LEASE_HELD") {
      co_return NotOwner(rpc::ReasonMetadata(lease.status())["owner_address"]);
    }
    co_return lease.status();
  }
  log::Info("gateway.link_started", {{"number", log::Public(lease->number().name())}, {"by_code", link.by_code}});
  found->second.beat = beats_;
  found->second.runner = MakeRunner(*std::move(lease));
  found->second.runner->Link(std::move(link), [weak = weak_from_this(), attempt](const wa::Event& event) {
    attempt->Push(event);
    const auto fleet = weak.lock();
    if (!fleet) return;
    if (!std::holds_alternative<wa::Linked>(event) && !std::holds_alternative<wa::LinkFailed>(event)) return;
    asio::post(fleet->strand_, [fleet, attempt, event] { fleet->OnLinkEvent(attempt, event); });
  });
  co_return attempt;
}

void NumberFleet::OnLinkEvent(const std::shared_ptr<LinkAttempt>& attempt, const wa::Event& event) {
  const auto found = entries_.find(attempt->number_id());
  if (found == entries_.end() || found->second.attempt != attempt) return;
  found->second.attempt.reset();
  const auto* failed = std::get_if<wa::LinkFailed>(&event);
  log::Info("gateway.link_ended", {{"number_id", log::Public(attempt->number_id())},
                                   {"failure", failed == nullptr ? 0 : static_cast<int>(failed->reason)}});
  if (failed == nullptr) return options_.metrics->links_done.Increment();
  options_.metrics->links_failed.Increment();
  if (attempt->passkey()) passkey_failures_[attempt->number_id()] = std::chrono::steady_clock::now();
  asio::co_spawn(strand_, GiveUp(attempt->number_id()), asio::detached);
}

void NumberFleet::Leave(std::shared_ptr<LinkAttempt> attempt) {
  asio::post(strand_, [self = shared_from_this(), attempt = std::move(attempt)] {
    const auto found = self->entries_.find(attempt->number_id());
    if (found == self->entries_.end() || found->second.attempt != attempt || attempt->ended()) return;
    if (attempt->confirming()) return;
    self->options_.metrics->links_left.Increment();
    found->second.attempt.reset();
    if (attempt->passkey()) self->passkey_failures_[attempt->number_id()] = std::chrono::steady_clock::now();
    asio::co_spawn(self->strand_, self->GiveUp(attempt->number_id()), asio::detached);
  });
}

asio::awaitable<absl::StatusOr<std::shared_ptr<NumberRunner>>> NumberFleet::RunnerOf(std::string attempt_id) {
  using Result = absl::StatusOr<std::shared_ptr<NumberRunner>>;
  const auto find = [](std::shared_ptr<NumberFleet> self, const std::string* wanted) -> asio::awaitable<Result> {
    for (const auto& [id, entry] : self->entries_) {
      if (entry.attempt && entry.attempt->id() == *wanted && entry.runner) co_return entry.runner;
    }
    co_return Error(absl::StatusCode::kNotFound, "no such link attempt is running on this gateway");
  };
  asio::awaitable<Result> finding = find(shared_from_this(), &attempt_id);
  co_return co_await asio::co_spawn(strand_, std::move(finding), asio::use_awaitable);
}

asio::awaitable<absl::Status> NumberFleet::SubmitPasskey(std::string attempt_id, std::string assertion_json) {
  MD_ASSIGN_OR_CO_RETURN(const std::shared_ptr<NumberRunner> runner, co_await RunnerOf(std::move(attempt_id)));
  co_return co_await runner->SubmitPasskey(std::move(assertion_json));
}

asio::awaitable<absl::Status> NumberFleet::ConfirmPasskeyCode(std::string attempt_id, bool matches) {
  MD_ASSIGN_OR_CO_RETURN(const std::shared_ptr<NumberRunner> runner, co_await RunnerOf(std::move(attempt_id)));
  co_return co_await runner->ConfirmPasskeyCode(matches);
}

asio::awaitable<absl::StatusOr<bool>> NumberFleet::Unlink(v1::Number number, bool force) {
  asio::awaitable<absl::StatusOr<bool>> unlinking = DoUnlink(std::move(number), force);
  co_return co_await asio::co_spawn(strand_, std::move(unlinking), asio::use_awaitable);
}

asio::awaitable<absl::StatusOr<bool>> NumberFleet::DoUnlink(v1::Number number, bool force) {
  const auto self = shared_from_this();
  const std::string id = number.id();
  if (draining_ || stopping_) co_return Stopping();
  const bool contact = co_await HaveContact();
  if (!contact) co_return NoStore();
  if (number.device_jid().empty()) co_return Refused("the number is not linked", "NOT_LINKED");
  auto found = entries_.find(id);
  if (found != entries_.end() && (found->second.attempt || found->second.ending || !found->second.runner)) {
    co_return Busy();
  }
  if (found == entries_.end()) {
    entries_[id].beat = beats_;
    auto lease = co_await Take(id);
    found = entries_.find(id);
    if (!lease.ok()) {
      if (found != entries_.end() && !found->second.runner) entries_.erase(found);
      if (rpc::Reason(lease.status()) == "LEASE_HELD") {
        co_return NotOwner(rpc::ReasonMetadata(lease.status())["owner_address"]);
      }
      co_return lease.status();
    }
    // Logs in, so that WhatsApp can be told; by force it need not.
    StartNumber(*std::move(lease));
    found = entries_.find(id);
    if (found == entries_.end() || !found->second.runner) co_return Busy();
  }
  const std::shared_ptr<NumberRunner> runner = found->second.runner;
  auto confirmed = co_await runner->Unlink(force);
  if (!confirmed.ok()) co_return confirmed.status();
  log::Info("gateway.number_unlinked", {{"number", log::Public(number.name())}, {"confirmed", *confirmed}});
  co_await GiveUp(id);
  co_return *confirmed;
}

}  // namespace medidesk::gateway
