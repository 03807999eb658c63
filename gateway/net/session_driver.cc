#include "gateway/net/session_driver.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "base/uuid.h"
#include "gateway/wa/stanza_ack.h"

namespace medidesk::gateway::net {
namespace {

namespace asio = boost::asio;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kFirstRetry{200}, kLongestRetry{5'000};
constexpr std::chrono::milliseconds kStopLook{10};  // between two looks at whether all has ended

bool OutcomeUnknown(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInternal:
      return true;
    default:
      return false;
  }
}

const char* Name(wa::ConnectionState state) {
  switch (state) {
    case wa::ConnectionState::kNeedsLink:
      return "needs_link";
    case wa::ConnectionState::kLinking:
      return "linking";
    case wa::ConnectionState::kConnecting:
      return "connecting";
    case wa::ConnectionState::kCatchingUp:
      return "catching_up";
    case wa::ConnectionState::kConnected:
      return "connected";
    case wa::ConnectionState::kReconnecting:
      return "reconnecting";
    case wa::ConnectionState::kPaused:
      return "paused";
    case wa::ConnectionState::kReplaced:
      return "replaced";
    case wa::ConnectionState::kVersionRefused:
      return "version_refused";
    case wa::ConnectionState::kBanned:
      return "banned";
    case wa::ConnectionState::kUntrustedServer:
      return "untrusted_server";
    case wa::ConnectionState::kStopped:
      return "stopped";
  }
  return "unknown";
}

}  // namespace

std::shared_ptr<SessionDriver> SessionDriver::Start(asio::any_io_executor executor, Options options,
                                                    std::unique_ptr<wa::Session> session) {
  std::shared_ptr<SessionDriver> driver(new SessionDriver(std::move(executor), std::move(options), std::move(session)));
  driver->Post([](SessionDriver& self) { self.Run(self.session_->Start(self.now())); });
  return driver;
}

SessionDriver::SessionDriver(asio::any_io_executor executor, Options options, std::unique_ptr<wa::Session> session)
    : strand_(asio::make_strand(std::move(executor))),
      options_(std::move(options)),
      session_(std::move(session)),
      timer_(strand_),
      retry_(strand_),
      reading_(strand_, asio::steady_timer::time_point::max()) {}

SessionDriver::~SessionDriver() = default;

// ---- From outside -------------------------------------------------------------------------------

void SessionDriver::Post(std::function<void(SessionDriver&)> task) {
  asio::post(strand_, [self = shared_from_this(), task = std::move(task)] {
    if (!self->stopped_) task(*self);
  });
}

asio::awaitable<absl::Status> SessionDriver::Ask(std::function<absl::Status(SessionDriver&)> task) {
  const auto self = shared_from_this();
  const auto on_strand = [](std::shared_ptr<SessionDriver> driver,
                            const std::function<absl::Status(SessionDriver&)>* ask) -> asio::awaitable<absl::Status> {
    if (driver->stopping_) co_return Error(absl::StatusCode::kUnavailable, "the number is being closed");
    co_return (*ask)(*driver);
  };
  asio::awaitable<absl::Status> asking = on_strand(self, &task);
  co_return co_await asio::co_spawn(strand_, std::move(asking), asio::use_awaitable);
}

asio::awaitable<absl::Status> SessionDriver::Send(wa::Node stanza) {
  std::function<absl::Status(SessionDriver&)> task = [&stanza](SessionDriver& self) {
    auto actions = self.session_->Send(self.now(), stanza);
    if (actions.ok()) self.Run(*std::move(actions));
    return actions.status();
  };
  co_return co_await Ask(std::move(task));
}

asio::awaitable<absl::Status> SessionDriver::SubmitPasskey(std::string assertion_json) {
  std::function<absl::Status(SessionDriver&)> task = [&assertion_json](SessionDriver& self) {
    auto actions = self.session_->SubmitPasskey(self.now(), assertion_json);
    if (actions.ok()) self.Run(*std::move(actions));
    return actions.status();
  };
  co_return co_await Ask(std::move(task));
}

asio::awaitable<absl::Status> SessionDriver::ConfirmPasskeyCode(bool matches) {
  std::function<absl::Status(SessionDriver&)> task = [matches](SessionDriver& self) {
    auto actions = self.session_->ConfirmPasskeyCode(self.now(), matches);
    if (actions.ok()) self.Run(*std::move(actions));
    return actions.status();
  };
  co_return co_await Ask(std::move(task));
}

void SessionDriver::Logout() {
  Post([](SessionDriver& self) { self.Run(self.session_->Logout(self.now())); });
}

void SessionDriver::Reconnect() {
  Post([](SessionDriver& self) { self.Run(self.session_->Reconnect(self.now())); });
}

void SessionDriver::PauseReading(bool on) {
  Post([on](SessionDriver& self) {
    if (std::exchange(self.reading_paused_, on) == on) return;
    self.Run(on ? self.session_->PauseReading(self.now()) : self.session_->ResumeReading(self.now()));
    if (!on) self.reading_.cancel();
  });
}

void SessionDriver::Wake() {
  Post([](SessionDriver& self) {
    self.wait_.reset();
    self.Run(self.session_->OnTime(self.now()));
  });
}

asio::awaitable<void> SessionDriver::Stop() {
  asio::awaitable<void> finish = Finish();
  co_await asio::co_spawn(strand_, std::move(finish), asio::use_awaitable);
}

asio::awaitable<void> SessionDriver::Finish() {
  const auto self = shared_from_this();
  if (!std::exchange(stopping_, true)) Run(session_->Stop(now()));
  const auto end = std::chrono::steady_clock::now() + kStopLimit;
  asio::steady_timer look(strand_);
  while (!stopped_) {
    std::erase_if(closing_, [](const auto& socket) { return socket->ended(); });
    if ((closing_.empty() && !working_) || std::chrono::steady_clock::now() > end) break;
    look.expires_after(kStopLook);
    co_await look.async_wait(kToken);
  }
  stopped_ = true;
  for (const auto& socket : closing_) socket->Abort();
  closing_.clear();
  timer_.cancel();
  retry_.cancel();
}

void SessionDriver::Abandon() {
  Post([](SessionDriver& self) {
    self.abandoned_ = true;
    self.stopping_ = true;
    self.work_.clear();
    self.retry_.cancel();
    if (self.socket_) self.socket_->Abort();
    for (const auto& socket : self.closing_) socket->Abort();
    self.Run(self.session_->Stop(self.now()));
  });
}

// ---- The session's actions ----------------------------------------------------------------------

bool SessionDriver::MayWrite() const { return !options_.may_write || options_.may_write(); }

void SessionDriver::Run(wa::Actions actions) {
  for (wa::Action& action : actions) {
    std::visit([this](auto& one) { Do(one); }, action);
  }
  AcknowledgeUnwanted();
}

void SessionDriver::Do(wa::Connect& connect) {
  connection_ = connect.connection;
  if (!MayWrite()) return Abandon();
  auto socket = MakeWhatsAppSocket(strand_, options_.server);
  socket_ = socket.ok() ? *std::move(socket) : nullptr;
  asio::co_spawn(strand_, RunConnection(connection_, socket_), asio::detached);
}

void SessionDriver::Do(wa::SendBytes& send) {
  if (!socket_ || send.connection != connection_) return;
  if (!MayWrite()) return Abandon();
  socket_->Send(std::move(send.bytes));
}

void SessionDriver::Do(wa::Close& close) {
  if (close.connection != connection_ || !socket_) return;
  socket_->Close();
  std::erase_if(closing_, [](const auto& socket) { return socket->ended(); });
  if (!socket_->ended()) closing_.push_back(socket_);
  socket_.reset();
  reading_.cancel();
}

void SessionDriver::Do(wa::WaitUntil& until) {
  wait_ = until.time;
  ArmTimer();
}

void SessionDriver::Do(wa::LoadRecords& load) { PushWork(std::move(load)); }
void SessionDriver::Do(wa::Commit& commit) { PushWork(std::move(commit)); }

void SessionDriver::Do(wa::Deliver& deliver) {
  if (const auto* state = std::get_if<wa::StateChanged>(&deliver.event)) LogState(*state);
  auto* stanza = std::get_if<wa::StanzaReceived>(&deliver.event);
  if (stanza == nullptr) return options_.listener->OnEvent(deliver.event);
  if (!options_.listener->OnStanza(*stanza) && stanza->needs_ack) unwanted_.push_back(std::move(stanza->node));
}

// After the actions, so that the session is never called inside one of its own.
void SessionDriver::AcknowledgeUnwanted() {
  while (!unwanted_.empty()) {
    const wa::Node stanza = std::move(unwanted_.front());
    unwanted_.pop_front();
    if (!session_->can_send()) continue;
    const auto ack = wa::AckOf(stanza, session_->credentials().account->jid);
    if (!ack) continue;
    auto actions = session_->Send(now(), *ack);
    if (actions.ok()) {
      for (wa::Action& action : *actions) std::visit([this](auto& one) { Do(one); }, action);
    }
  }
}

void SessionDriver::LogState(const wa::StateChanged& state) const {
  const log::Level level =
      state.alarm ? log::Level::kError
      : state.state == wa::ConnectionState::kReconnecting || state.state == wa::ConnectionState::kPaused
          ? log::Level::kWarning
          : log::Level::kInfo;
  log::Write(level, "whatsapp.state",
             {{"number", log::Public(options_.name)},
              {"state", log::Public(Name(state.state))},
              {"reason", log::Public(state.reason)},
              {"detail", log::Public(state.detail)},
              {"alarm", state.alarm}});
}

void SessionDriver::ArmTimer() {
  timer_.expires_after(std::max(*wait_ - now().steady, wa::Time::duration::zero()));
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->stopped_ || !self->wait_) return;
    // Replaced while this call was on its way.
    if (*self->wait_ > self->now().steady) return self->ArmTimer();
    self->wait_.reset();
    self->Run(self->session_->OnTime(self->now()));
  });
}

// ---- A connection -------------------------------------------------------------------------------

asio::awaitable<void> SessionDriver::RunConnection(std::uint64_t id, std::shared_ptr<WhatsAppSocket> socket) {
  const auto self = shared_from_this();
  co_await asio::post(strand_, kToken);  // not inside the actions that asked for it
  absl::Status status = Error(absl::StatusCode::kUnavailable, "no socket");
  if (socket) {
    status = co_await socket->Open(wa::Session::kConnectLimit);
    if (status.ok() && socket == socket_) Run(session_->OnConnected(now(), id));
  }
  while (status.ok() && socket == socket_) {
    if (reading_paused_) {
      co_await reading_.async_wait(kToken);
      continue;
    }
    const absl::StatusOr<wa::ByteView> bytes = co_await socket->Read();
    status = bytes.status();
    if (status.ok() && socket == socket_) Run(session_->OnBytes(now(), id, *bytes));
  }
  if (stopped_ || socket != socket_ || id != connection_) co_return;
  socket_.reset();
  Run(session_->OnClosed(now(), id, CauseOf(status)));
}

// ---- The store ----------------------------------------------------------------------------------

void SessionDriver::PushWork(Work work) {
  if (abandoned_) return;
  work_.push_back(std::move(work));
  if (!std::exchange(working_, true)) asio::co_spawn(strand_, RunWork(), asio::detached);
}

// One at a time: a look-up sees what was committed before it.
asio::awaitable<void> SessionDriver::RunWork() {
  const auto self = shared_from_this();
  co_await asio::post(strand_, kToken);  // not inside the actions that asked for it
  while (!work_.empty() && !stopped_) {
    Work work = std::move(work_.front());
    work_.pop_front();
    auto* commit = std::get_if<wa::Commit>(&work);
    absl::Status status;
    std::vector<wa::Record> records;
    DeviceCommit wanted;
    if (commit != nullptr) {
      wanted.id = NewUuid();
      wanted.changes = std::move(commit->changes);
      wanted.linked = std::move(commit->linked);
    }
    std::chrono::milliseconds pause = kFirstRetry;
    for (;;) {
      if (commit != nullptr) {
        status = co_await options_.store->Commit(wanted);
      } else {
        auto found = co_await options_.store->Load(std::get<wa::LoadRecords>(work).names);
        status = found.status();
        if (found.ok()) records = *std::move(found);
      }
      if (status.ok() || !OutcomeUnknown(status) || abandoned_ || stopped_) break;
      if (pause == kFirstRetry) log::Warning("whatsapp.store_unreachable", {{"number", log::Public(options_.name)}});
      retry_.expires_after(pause);
      co_await retry_.async_wait(kToken);
      if (abandoned_ || stopped_) break;
      pause = std::min(2 * pause, kLongestRetry);
    }
    if (abandoned_ || stopped_) break;
    if (commit != nullptr) {
      Run(session_->OnCommitted(now(), commit->commit, status));
      continue;
    }
    absl::StatusOr<std::vector<wa::Record>> found = std::move(records);
    if (!status.ok()) found = status;
    Run(session_->OnLoaded(now(), std::get<wa::LoadRecords>(work).request, std::move(found)));
  }
  working_ = false;
}

}  // namespace medidesk::gateway::net
