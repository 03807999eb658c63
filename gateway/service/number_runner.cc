#include "gateway/service/number_runner.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "base/rpc/error_details.h"
#include "base/status.h"
#include "gateway/service/timestamps.h"

namespace medidesk::gateway {
namespace {

namespace asio = boost::asio;
namespace v1 = store::v1;
using wa::ConnectionState;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kFirstPause{200}, kLongestPause{5'000};  // between two tries of the store
constexpr std::chrono::seconds kLastReport{2};                               // for what a stop leaves to be written
constexpr std::chrono::milliseconds kLook{10};
constexpr std::chrono::seconds kLogoutLimit = wa::Session::kLogoutLimit + std::chrono::seconds(2);
constexpr int kResealPage = 64;  // records

bool LoggedIn(ConnectionState state) {
  return state == ConnectionState::kCatchingUp || state == ConnectionState::kConnected;
}

// Stopped until a person acts, whatever process holds the number.
bool WaitsForAPerson(v1::NumberState state) {
  return state == v1::NUMBER_STATE_NEEDS_LINK || state == v1::NUMBER_STATE_REPLACED;
}

bool OutlivesAStop(ConnectionState state) {
  switch (state) {
    case ConnectionState::kNeedsLink:
    case ConnectionState::kReplaced:
    case ConnectionState::kVersionRefused:
    case ConnectionState::kBanned:
    case ConnectionState::kUntrustedServer:
      return true;
    default:
      return false;
  }
}

std::string ReasonCode(const std::string& reason) {
  std::string code;
  for (const char c : reason) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == ':' || c == '.' || c == '-';
    if (code.size() < 64) code += plain ? c : '_';
  }
  return code;
}

std::shared_ptr<NumberWriter> MakeWriter(const asio::any_io_executor& executor, const NumberRunner::Options& options,
                                         std::function<void(const absl::Status&)> on_lost) {
  NumberWriter::Options writer;
  writer.number_id = options.lease.number().id();
  writer.lease_token = options.lease.lease_token();
  writer.revision = options.lease.revision();
  writer.keys = options.keys;
  if (!options.journal_folder.empty()) {
    const std::string path = (std::filesystem::path(options.journal_folder) / writer.number_id).string();
    writer.journal = std::make_shared<JournalFile>(path, writer.number_id, options.keys);
  }
  writer.call = [client = *options.store](v1::CommitBatchRequest request) {
    return client.Call(MD_METHOD(CommitBatch), std::move(request), rpc::Within(DeviceStoreClient::kLimit));
  };
  writer.on_lost = std::move(on_lost);
  writer.metrics = options.metrics;
  return std::make_shared<NumberWriter>(executor, std::move(writer));
}

}  // namespace

// What the message layer holds: it outlives neither the lease nor, by much, the driver.
class NumberRunner::Port final : public NumberPort {
 public:
  Port(v1::Number number, std::shared_ptr<NumberWriter> writer, std::shared_ptr<DeviceStoreClient> devices,
       std::function<void(End)> on_end)
      : number_(std::move(number)),
        writer_(std::move(writer)),
        devices_(std::move(devices)),
        on_end_(std::move(on_end)) {}

  void SetDriver(const std::shared_ptr<net::SessionDriver>& driver) {
    const std::lock_guard lock(mutex_);
    driver_ = driver;
    if (driver && reading_paused_) driver->PauseReading(true);
  }

  const v1::Number& number() const override { return number_; }
  asio::awaitable<absl::Status> Send(wa::Node stanza) override {
    const std::shared_ptr<net::SessionDriver> driver = Driver();
    if (driver == nullptr) co_return Error(absl::StatusCode::kUnavailable, "WhatsApp is not connected");
    co_return co_await driver->Send(std::move(stanza));
  }
  asio::awaitable<absl::StatusOr<NumberWriter::Results>> Commit(NumberWrite write) override {
    return writer_->Commit(std::move(write));
  }
  asio::awaitable<absl::StatusOr<std::vector<wa::Record>>> Load(std::vector<wa::RecordName> names) override {
    co_return co_await devices_->Load(names);
  }
  asio::awaitable<absl::StatusOr<RecordPage>> LoadPage(wa::RecordKind kind, std::string token, int size) override {
    co_return co_await devices_->LoadOpenPage(kind, std::move(token), size);
  }
  void PauseReading(bool on) override {
    const std::lock_guard lock(mutex_);
    reading_paused_ = on;
    if (const auto driver = driver_.lock()) driver->PauseReading(on);
  }
  void Reload() override { on_end_(End::kReload); }

 private:
  std::shared_ptr<net::SessionDriver> Driver() const {
    const std::lock_guard lock(mutex_);
    return driver_.lock();
  }

  const v1::Number number_;
  const std::shared_ptr<NumberWriter> writer_;
  const std::shared_ptr<DeviceStoreClient> devices_;
  const std::function<void(End)> on_end_;
  mutable std::mutex mutex_;
  std::weak_ptr<net::SessionDriver> driver_;  // under mutex_, like the next
  bool reading_paused_ = false;
};

std::shared_ptr<NumberRunner> NumberRunner::Make(asio::any_io_executor executor, Options options) {
  return std::shared_ptr<NumberRunner>(new NumberRunner(std::move(executor), std::move(options)));
}

NumberRunner::NumberRunner(asio::any_io_executor executor, Options options)
    : strand_(asio::make_strand(executor)),
      options_(std::move(options)),
      metrics_(options_.metrics->ForNumber(options_.lease.number().name())),
      writer_(MakeWriter(executor, options_,
                         [on_end = options_.on_end](const absl::Status& status) {
                           on_end(rpc::Reason(status) == "LEASE_LOST" ? End::kLeaseLost : End::kReload);
                         })),
      devices_(
          std::make_shared<DeviceStoreClient>(*options_.store, writer_, options_.keys, number_id(), lease_token())),
      port_(std::make_shared<Port>(options_.lease.number(), writer_, devices_, options_.on_end)),
      pause_(strand_),
      logout_(strand_) {
  if (options_.make_layer) layer_ = options_.make_layer(port_);
  if (layer_) {
    devices_->Tell([weak = std::weak_ptr(layer_)](std::vector<wa::Record> records) {
      if (const auto layer = weak.lock()) layer->OnPreKeys(std::move(records));
    });
  }
  options_.metrics->Numbers(state_).Increment();
}

// Nothing to do with metrics: the last reference may go with the event loop, after them.
NumberRunner::~NumberRunner() = default;

// ---- Starting -----------------------------------------------------------------------------------

void NumberRunner::Login() {
  const v1::Number& number = options_.lease.number();
  if (WaitsForAPerson(number.state())) {
    // What was so before the lease changed hands is so now: a login would be refused again, or chase another program.
    asio::post(strand_, [self = shared_from_this(), state = number.state()] {
      self->SetState(static_cast<ConnectionState>(state));
    });
    return;
  }
  asio::co_spawn(
      strand_, [self = shared_from_this()] { return self->LoadAndLogin(); }, asio::detached);
}

void NumberRunner::Link(wa::LinkOptions link, OnLinkEvent on_event) {
  asio::post(strand_, [self = shared_from_this(), link = std::move(link), on_event = std::move(on_event)]() mutable {
    if (self->stopping_) return;
    self->on_link_event_ = std::move(on_event);
    auto session = wa::Session::Link(self->options_.session, std::move(link), net::SystemEntropy());
    if (!session.ok()) {
      const wa::LinkFailed failed{.reason = wa::LinkFailure::kServer, .advice = std::string(Text(session.status()))};
      return self->on_link_event_(failed);
    }
    self->linking_ = true;
    self->Start(*std::move(session));
  });
}

asio::awaitable<void> NumberRunner::LoadAndLogin() {
  const v1::Number& number = options_.lease.number();
  if (number.state() == v1::NUMBER_STATE_BANNED && number.has_retry_time()) {
    SetState(ConnectionState::kBanned);
    const auto end = wa::WallTime(std::chrono::seconds(number.retry_time().seconds()));
    pause_.expires_after(std::clamp<wa::WallTime::duration>(end - std::chrono::system_clock::now(),
                                                            std::chrono::seconds(0), std::chrono::hours(24 * 30)));
    co_await pause_.async_wait(kToken);
  }
  // What is read before is old.
  const absl::Status replayed = co_await writer_->Replayed();
  if (!replayed.ok()) co_return;  // told already
  std::chrono::milliseconds pause = kFirstPause;
  while (!stopping_) {
    auto session = co_await LoadSession();
    if (stopping_) co_return;
    if (session.ok()) {
      Start(*std::move(session));
      co_return co_await Reseal();
    }
    if (!NumberWriter::OutcomeUnknown(session.status())) co_return;  // told already
    pause_.expires_after(pause);
    co_await pause_.async_wait(kToken);
    pause = std::min(2 * pause, kLongestPause);
  }
}

asio::awaitable<absl::StatusOr<std::unique_ptr<wa::Session>>> NumberRunner::LoadSession() {
  const wa::RecordName self{.kind = wa::RecordKind::kCredentials, .key = std::string(wa::kSelfKey)};
  const wa::RecordName connection{.kind = wa::RecordKind::kSetting, .key = std::string(wa::kSettingsKey)};
  const std::vector<wa::RecordName> names = {self, connection};
  auto records = co_await devices_->Load(names);
  if (!records.ok()) {
    // FAILED_PRECONDITION without a reason of the store's: the master key is another one.
    absl::Status status = records.status();
    const bool unusable =
        absl::IsDataLoss(status) || (absl::IsFailedPrecondition(status) && rpc::Reason(status).empty());
    if (!unusable) co_return status;
    Refuse(absl::IsDataLoss(status) ? "keys.damaged" : "keys.master_key", status);
    co_return Error(absl::StatusCode::kFailedPrecondition, "the keys cannot be used");
  }
  absl::StatusOr<wa::DeviceCredentials> credentials =
      Error(absl::StatusCode::kNotFound, "the number has no device keys; link it");
  wa::DeviceSettings settings;
  absl::Status bad;
  for (const wa::Record& record : *records) {
    if (record.name == self) {
      credentials = wa::DeviceCredentials::Parse(record.value);
    } else if (auto read = wa::DeviceSettings::Parse(record.value); read.ok()) {
      settings = *read;
    } else {
      bad = read.status();
    }
  }
  if (bad.ok()) bad = credentials.status();
  if (bad.ok()) {
    auto session = wa::Session::Login(options_.session, *std::move(credentials), settings, net::SystemEntropy());
    if (session.ok()) co_return session;
    bad = session.status();
  }
  Refuse(absl::IsNotFound(bad) ? "keys.absent" : "keys.damaged", bad);
  co_return Error(absl::StatusCode::kFailedPrecondition, "the keys cannot be used");
}

// The number stays in our hands, without a socket, until a person has acted.
void NumberRunner::Refuse(const std::string& reason, const absl::Status& status) {
  log::Error("number.keys_unusable", {{"number", log::Public(options_.lease.number().name())},
                                      {"reason", log::Public(reason)},
                                      {"detail", log::Public(Text(status))}});
  const wa::StateChanged stopped{.state = ConnectionState::kStopped, .reason = reason, .retry_at = {}, .alarm = true};
  Handle(stopped);
}

void NumberRunner::Start(std::unique_ptr<wa::Session> session) {
  net::SessionDriver::Options options;
  options.server = options_.server;
  options.name = options_.lease.number().name();
  options.store = devices_;
  options.listener = shared_from_this();
  options.may_write = [clock = options_.clock] { return clock->Holds(); };
  driver_ = net::SessionDriver::Start(asio::any_io_executor(strand_.get_inner_executor()), std::move(options),
                                      std::move(session));
  port_->SetDriver(driver_);
}

// ---- What the session tells ---------------------------------------------------------------------

void NumberRunner::OnEvent(const wa::Event& event) {
  if (layer_) layer_->OnEvent(event);
  asio::post(strand_, [self = shared_from_this(), event] { self->Handle(event); });
}

bool NumberRunner::OnStanza(const wa::StanzaReceived& stanza) { return layer_ && layer_->OnStanza(stanza); }

void NumberRunner::Handle(const wa::Event& event) {
  if (const auto* progress = std::get_if<wa::LinkProgress>(&event)) {
    if (progress->step == wa::LinkStep::kLoggingIn) linking_ = false;  // stored: the number is linked
  }
  if (std::get_if<wa::LoggedIn>(&event) != nullptr) metrics_.logins.Increment();
  if (const auto* out = std::get_if<wa::LoggedOut>(&event)) {
    logged_out_ = out->confirmed;
    logout_.cancel();
  }
  if (const auto* change = std::get_if<wa::StateChanged>(&event)) {
    wa::StateChanged told = *change;
    // A link attempt that is given up leaves the number as it was.
    if (linking_ && told.state == ConnectionState::kStopped) told.state = ConnectionState::kNeedsLink;
    const ConnectionState before = state_;
    SetState(told.state);
    // Refused by the store, or stopped by the driver itself because the lease clock had run out.
    if ((told.reason == "commit_refused" || told.reason == "stopped") && !stopping_) {
      return options_.on_end(End::kReload);
    }
    // A hand-over must not hide what a person, or the next owner, has to know.
    if (told.reason != "stopped" || !OutlivesAStop(before)) Report(told);
  }
  if (on_link_event_) on_link_event_(event);
}

void NumberRunner::SetState(ConnectionState state) {
  const ConnectionState before = state_.exchange(state);
  if (ended_) return;
  options_.metrics->Numbers(before).Decrement();
  options_.metrics->Numbers(state).Increment();
  if (std::exchange(logged_in_, LoggedIn(state)) && !logged_in_) metrics_.disconnects.Increment();
  metrics_.connected.Set(logged_in_ ? 1 : 0);
}

void NumberRunner::EndMetrics() {
  if (std::exchange(ended_, true)) return;
  options_.metrics->Numbers(state_).Decrement();
  metrics_.connected.Set(0);
}

void NumberRunner::Report(const wa::StateChanged& change) {
  v1::SetNumberStateOperation state;
  state.set_state(static_cast<v1::NumberState>(change.state));
  state.set_state_reason(ReasonCode(change.reason));
  if (change.retry_at) *state.mutable_retry_time() = ToTimestamp(*change.retry_at);
  state.set_needs_attention(change.alarm || (report_ && report_->needs_attention()));
  report_ = std::move(state);
  if (!std::exchange(reporting_, true)) {
    asio::co_spawn(
        strand_, [self = shared_from_this()] { return self->WriteReports(); }, asio::detached);
  }
}

asio::awaitable<void> NumberRunner::WriteReports() {
  while (report_) {
    NumberWrite write;
    *write.operations.emplace_back().mutable_set_number_state() = *std::exchange(report_, std::nullopt);
    const auto written = co_await writer_->Commit(std::move(write));
    // Whatever comes next is newer; after a definite refusal nothing does.
    if (!written.ok()) break;
  }
  reporting_ = false;
}

// ---- Ending -------------------------------------------------------------------------------------

asio::awaitable<void> NumberRunner::Stop(bool switched_off) {
  asio::awaitable<void> finish = Finish(switched_off);
  co_await asio::co_spawn(strand_, std::move(finish), asio::use_awaitable);
}

asio::awaitable<void> NumberRunner::Finish(bool switched_off) {
  const auto self = shared_from_this();
  if (ended_) co_return;
  stopping_ = true;
  pause_.cancel();
  if (layer_) co_await layer_->Drain();
  if (driver_) {
    co_await driver_->Stop();
    driver_.reset();
  }
  if (switched_off && state_ != ConnectionState::kNeedsLink) {
    const wa::StateChanged off{.state = ConnectionState::kStopped, .reason = "switched_off"};
    Report(off);
  }
  const auto end = std::chrono::steady_clock::now() + kLastReport;
  asio::steady_timer look(strand_);
  while (reporting_ && std::chrono::steady_clock::now() < end) {
    look.expires_after(kLook);
    co_await look.async_wait(kToken);
  }
  if (layer_) layer_->Abandon();
  writer_->Close();
  on_link_event_ = nullptr;
  EndMetrics();
}

void NumberRunner::Abandon() {
  writer_->Close();
  if (layer_) layer_->Abandon();
  asio::post(strand_, [self = shared_from_this()] {
    self->stopping_ = true;
    self->pause_.cancel();
    self->report_.reset();
    self->on_link_event_ = nullptr;
    self->SetState(ConnectionState::kStopped);
    self->EndMetrics();
    if (self->driver_ == nullptr) return;
    self->driver_->Abandon();
    asio::co_spawn(
        self->strand_,
        [self]() -> asio::awaitable<void> {
          co_await self->driver_->Stop();
          self->driver_.reset();
        },
        asio::detached);
  });
}

// ---- Wishes -------------------------------------------------------------------------------------

asio::awaitable<std::shared_ptr<net::SessionDriver>> NumberRunner::CurrentDriver() {
  const auto read = [](std::shared_ptr<NumberRunner> self) -> asio::awaitable<std::shared_ptr<net::SessionDriver>> {
    co_return self->driver_;
  };
  asio::awaitable<std::shared_ptr<net::SessionDriver>> reading = read(shared_from_this());
  co_return co_await asio::co_spawn(strand_, std::move(reading), asio::use_awaitable);
}

asio::awaitable<absl::Status> NumberRunner::SubmitPasskey(std::string assertion_json) {
  const std::shared_ptr<net::SessionDriver> driver = co_await CurrentDriver();
  if (driver == nullptr) co_return Error(absl::StatusCode::kNotFound, "this link attempt has ended");
  co_return co_await driver->SubmitPasskey(std::move(assertion_json));
}

asio::awaitable<absl::Status> NumberRunner::ConfirmPasskeyCode(bool matches) {
  const std::shared_ptr<net::SessionDriver> driver = co_await CurrentDriver();
  if (driver == nullptr) co_return Error(absl::StatusCode::kNotFound, "this link attempt has ended");
  co_return co_await driver->ConfirmPasskeyCode(matches);
}

asio::awaitable<absl::StatusOr<bool>> NumberRunner::Unlink(bool force) {
  asio::awaitable<absl::StatusOr<bool>> unlinking = DoUnlink(force);
  co_return co_await asio::co_spawn(strand_, std::move(unlinking), asio::use_awaitable);
}

asio::awaitable<absl::StatusOr<bool>> NumberRunner::DoUnlink(bool force) {
  const auto self = shared_from_this();
  const auto unreachable = [] {
    return Error(absl::StatusCode::kUnavailable,
                 "WhatsApp has not confirmed; try again while the number is connected, or use force and remove the "
                 "device on the phone");
  };
  // Logged out already: there is nothing left at WhatsApp to remove.
  bool confirmed = state_ == ConnectionState::kNeedsLink;
  if (!confirmed && !LoggedIn(state_) && !force) co_return unreachable();
  if (!confirmed && LoggedIn(state_) && driver_) {
    logged_out_.reset();
    driver_->Logout();
    logout_.expires_after(kLogoutLimit);
    while (!logged_out_ && logout_.expiry() > std::chrono::steady_clock::now()) co_await logout_.async_wait(kToken);
    confirmed = logged_out_.value_or(false);
    if (!confirmed && !force) {
      options_.on_end(End::kReload);  // this session is over; the device may still be linked
      co_return unreachable();
    }
  }
  stopping_ = true;
  if (driver_) {
    co_await driver_->Stop();
    driver_.reset();
  }
  NumberWrite write;
  for (int kind = 1; kind < v1::DeviceStateKind_ARRAYSIZE; ++kind) {
    write.changes.wipes.push_back(static_cast<wa::RecordKind>(kind));
  }
  v1::SetNumberStateOperation& state = *write.operations.emplace_back().mutable_set_number_state();
  state.set_state(v1::NUMBER_STATE_NEEDS_LINK);
  state.set_state_reason("unlinked");
  state.set_unlinked(true);
  const auto written = co_await writer_->Commit(std::move(write));
  if (!written.ok()) {
    options_.on_end(End::kReload);
    co_return written.status();
  }
  SetState(ConnectionState::kNeedsLink);
  co_return confirmed;
}

// ---- Key rotation -------------------------------------------------------------------------------

asio::awaitable<void> NumberRunner::Reseal() {
  if (!options_.keys->rotating()) co_return;
  int moved = 0;
  for (int kind = 1; kind < v1::DeviceStateKind_ARRAYSIZE && !stopping_; ++kind) {
    std::string token;
    int size = kResealPage;
    do {
      std::string next;
      int found = 0;
      bool too_much = false;
      // Read and written with nothing of the number in between: what it puts is what is there.
      NumberWriter::Prepare prepare = [&]() -> asio::awaitable<absl::StatusOr<NumberWrite>> {
        NumberWrite write;
        MD_ASSIGN_OR_CO_RETURN(const DeviceStoreClient::Page page,
                               co_await devices_->LoadPage(static_cast<wa::RecordKind>(kind), token, size));
        std::size_t bytes = 0;
        for (const SealedRecord& record : page.records)
          bytes += record.sealed.size() + record.name.record.key.size() + 64;
        too_much = bytes > NumberWriter::kMaxBatch && page.records.size() > 1;
        if (too_much) co_return write;
        next = page.next;
        MD_ASSIGN_OR_CO_RETURN(write.changes.puts, RecordsToReseal(*options_.keys, page.records));
        found = static_cast<int>(write.changes.puts.size());
        co_return write;
      };
      const auto written = co_await writer_->CommitPrepared(prepare);
      if (!written.ok() && NumberWriter::OutcomeUnknown(written.status()) && !stopping_) {
        pause_.expires_after(kLongestPause);
        co_await pause_.async_wait(kToken);
        continue;
      }
      if (!written.ok()) {
        log::Warning("number.reseal_failed", {{"number", log::Public(options_.lease.number().name())},
                                              {"detail", log::Public(Text(written.status()))}});
        co_return;
      }
      if (too_much) {
        size = std::max(1, size / 2);
        continue;
      }
      moved += found;
      options_.metrics->resealed_records.Increment(found);
      if (next.empty()) break;
      token = std::move(next);
    } while (!stopping_);
  }
  if (!stopping_) {
    log::Info("number.resealed", {{"number", log::Public(options_.lease.number().name())}, {"records", moved}});
  }
}

}  // namespace medidesk::gateway
