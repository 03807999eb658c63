#include "assistant/claude/connection_pool.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "assistant/claude/connection.h"

namespace medidesk::assistant::claude {

namespace asio = boost::asio;

namespace {

absl::Status TimedOut() { return Error(absl::StatusCode::kDeadlineExceeded, "the Claude API did not answer in time"); }

// Asio ends a cancelled operation like a failed one; the coroutine's state tells them apart.
bool Cancelled(const asio::cancellation_state& state) { return state.cancelled() != asio::cancellation_type::none; }

absl::Status CallerGone() { return Error(absl::StatusCode::kCancelled, "the caller went away"); }

}  // namespace

class ConnectionPool::Core : public std::enable_shared_from_this<Core> {
 public:
  // A caller in the queue; its timer lives on the caller's strand.
  struct Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    bool granted = false;  // guarded by the core's mutex
  };

  Core(asio::any_io_executor executor, Options options) : options(std::move(options)), executor_(std::move(executor)) {}

  absl::Status SetUpTls() {
    if (!options.origin.tls) return absl::OkStatus();
    tls_.emplace(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(tls_->native_handle(), TLS1_2_VERSION);
    boost::system::error_code error;
    tls_->set_verify_mode(asio::ssl::verify_peer, error);
    if (!error) tls_->set_default_verify_paths(error);
    if (error)
      return Error(absl::StatusCode::kFailedPrecondition, "TLS cannot be set up: check OpenSSL's configuration");
    if (!options.ca_file.empty()) {
      tls_->load_verify_file(options.ca_file, error);
      if (error) return Error(absl::StatusCode::kFailedPrecondition, "the CA file of the Claude API cannot be read");
    }
    return absl::OkStatus();
  }

  // Waits for the right to run one exchange. OK means a slot is taken: Return it.
  asio::awaitable<absl::Status> TakeSlot(Deadline deadline) {
    std::shared_ptr<Waiter> waiter;
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    {
      const std::lock_guard lock(mutex_);
      if (in_use_ < options.max_connections) {
        ++in_use_;
        co_return absl::OkStatus();
      }
      if (waiters_.size() >= options.max_waiting) {
        co_return Error(absl::StatusCode::kResourceExhausted, "too many questions wait for the Claude API");
      }
      waiter = std::make_shared<Waiter>(executor);
      waiter->timer.expires_after(deadline - options.now());
      waiters_.push_back(waiter);
    }
    // If the caller is cancelled or its frame destroyed, a slot granted meanwhile goes on to the next.
    struct Leave {
      Core& core;
      std::shared_ptr<Waiter> waiter;
      bool keep = false;
      ~Leave() {
        if (!keep) core.Leave(waiter);
      }
    };
    Leave leave{*this, waiter};
    co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (Cancelled(co_await asio::this_coro::cancellation_state)) co_return CallerGone();
    const std::lock_guard lock(mutex_);
    if (waiter->granted) {
      leave.keep = true;
      co_return absl::OkStatus();
    }
    co_return TimedOut();
  }

  // A connection that was idle, or nullptr.
  std::unique_ptr<Connection> TakeIdle() {
    std::deque<Idle> dropped;  // closed outside the lock
    const std::lock_guard lock(mutex_);
    const Clock::time_point now = options.now();
    while (!idle_.empty()) {
      Idle last = std::move(idle_.back());
      idle_.pop_back();
      if (now - last.since < options.keep_idle && last.connection->fresh()) return std::move(last.connection);
      dropped.push_back(std::move(last));
    }
    return nullptr;
  }

  std::unique_ptr<Connection> Open() {
    {
      const std::lock_guard lock(mutex_);
      ++opened_;
    }
    return std::make_unique<Connection>(executor_, options.origin, tls_ ? &*tls_ : nullptr);
  }

  // Gives the slot back, with its connection when that may be used again.
  void Return(std::unique_ptr<Connection> connection) {
    std::shared_ptr<Waiter> next;
    {
      const std::lock_guard lock(mutex_);
      if (connection != nullptr && connection->reusable() && !closed_) {
        idle_.push_back(Idle{std::move(connection), options.now()});
      }
      next = PassOn();
    }
    Wake(std::move(next));
  }

  void Close() {
    std::deque<Idle> dropped;
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(idle_);
  }

  Stats stats() const {
    const std::lock_guard lock(mutex_);
    return {.in_use = in_use_, .idle = idle_.size(), .waiting = waiters_.size(), .opened = opened_};
  }

  const Options options;

 private:
  struct Idle {
    std::unique_ptr<Connection> connection;
    Clock::time_point since;
  };

  // The slot goes to the first waiter, or becomes free.
  std::shared_ptr<Waiter> PassOn() {
    if (waiters_.empty()) {
      --in_use_;
      return nullptr;
    }
    std::shared_ptr<Waiter> next = std::move(waiters_.front());
    waiters_.pop_front();
    next->granted = true;
    return next;
  }

  static void Wake(std::shared_ptr<Waiter> waiter) {
    if (waiter == nullptr) return;
    const asio::any_io_executor executor = waiter->timer.get_executor();
    asio::post(executor, [waiter = std::move(waiter)] { waiter->timer.cancel(); });
  }

  void Leave(const std::shared_ptr<Waiter>& waiter) {
    std::shared_ptr<Waiter> next;
    {
      const std::lock_guard lock(mutex_);
      if (waiter->granted) {
        next = PassOn();
      } else {
        waiters_.erase(std::remove(waiters_.begin(), waiters_.end(), waiter), waiters_.end());
      }
    }
    Wake(std::move(next));
  }

  asio::any_io_executor executor_;
  std::optional<asio::ssl::context> tls_;
  mutable std::mutex mutex_;
  std::deque<Idle> idle_;  // the last one was used last
  std::deque<std::shared_ptr<Waiter>> waiters_;
  std::size_t in_use_ = 0;
  std::uint64_t opened_ = 0;
  bool closed_ = false;
};

ConnectionPool::Answer::Answer(std::shared_ptr<Core> core, std::unique_ptr<Connection> connection)
    : core_(std::move(core)), connection_(std::move(connection)) {}

ConnectionPool::Answer::Answer(Answer&&) noexcept = default;

ConnectionPool::Answer::~Answer() {
  if (core_ != nullptr) core_->Return(std::move(connection_));
}

asio::awaitable<absl::StatusOr<std::string>> ConnectionPool::Answer::ReadSome(Deadline deadline) {
  if (core_ == nullptr) co_return std::string();
  const Clock::duration left = deadline - core_->options.now();
  if (left <= Clock::duration::zero()) co_return TimedOut();
  absl::StatusOr<std::string> bytes =
      co_await connection_->ReadSome(std::min<Clock::duration>(left, core_->options.silence_timeout));
  if (!bytes.ok() && Cancelled(co_await asio::this_coro::cancellation_state)) co_return CallerGone();
  if (bytes.ok() && bytes->empty()) std::exchange(core_, nullptr)->Return(std::move(connection_));
  co_return bytes;
}

asio::awaitable<absl::StatusOr<std::string>> ConnectionPool::Answer::ReadAll(Deadline deadline) {
  std::string body;
  while (true) {
    absl::StatusOr<std::string> bytes = co_await ReadSome(deadline);
    if (!bytes.ok()) co_return std::move(bytes).status();
    if (bytes->empty()) co_return body;
    body += *bytes;
  }
}

absl::StatusOr<std::unique_ptr<ConnectionPool>> ConnectionPool::Make(asio::any_io_executor executor, Options options) {
  auto core = std::make_shared<Core>(std::move(executor), std::move(options));
  MD_RETURN_IF_ERROR(core->SetUpTls());
  return std::unique_ptr<ConnectionPool>(new ConnectionPool(std::move(core)));
}

ConnectionPool::ConnectionPool(std::shared_ptr<Core> core) : core_(std::move(core)) {}

ConnectionPool::~ConnectionPool() { core_->Close(); }

ConnectionPool::Stats ConnectionPool::stats() const { return core_->stats(); }

asio::awaitable<absl::StatusOr<ConnectionPool::Answer>> ConnectionPool::Send(HttpRequest request, Deadline deadline) {
  const std::shared_ptr<Core> core = core_;
  const Options& options = core->options;
  const auto limit = [&](std::chrono::milliseconds most) {
    return std::min<Clock::duration>(deadline - options.now(), most);
  };
  absl::Status slot = co_await core->TakeSlot(deadline);
  if (!slot.ok()) co_return slot;
  // From here the slot is given back whatever happens, also when this frame is destroyed.
  struct Lease {
    Core* core;
    std::unique_ptr<Connection> connection;
    ~Lease() {
      if (core != nullptr) core->Return(nullptr);
    }
  };
  Lease lease{core.get(), nullptr};

  lease.connection = core->TakeIdle();
  while (true) {
    const bool reused = lease.connection != nullptr;
    if (limit(options.connect_timeout) <= Clock::duration::zero()) co_return TimedOut();
    if (!reused) {
      lease.connection = core->Open();
      absl::Status connected = co_await lease.connection->Connect(limit(options.connect_timeout));
      if (!connected.ok()) {
        if (Cancelled(co_await asio::this_coro::cancellation_state)) co_return CallerGone();
        co_return connected;
      }
    }
    absl::StatusOr<HttpHead> head =
        co_await lease.connection->Exchange(request, options.max_body, limit(options.first_byte_timeout));
    if (head.ok()) {
      lease.core = nullptr;
      Answer answer(core, std::move(lease.connection));
      answer.head = *std::move(head);
      co_return answer;
    }
    if (Cancelled(co_await asio::this_coro::cancellation_state)) co_return CallerGone();
    const bool stale =
        reused && !lease.connection->answered() && head.status().code() == absl::StatusCode::kUnavailable;
    lease.connection.reset();
    if (!stale) co_return std::move(head).status();
  }
}

}  // namespace medidesk::assistant::claude
