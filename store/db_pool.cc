#include "store/db_pool.h"

#include <utility>

#include "base/log.h"
#include "base/rpc/error_details.h"
#include "store/db_connection.h"

namespace medidesk::store {
namespace {

using std::chrono::milliseconds;

absl::Status Down() {
  return rpc::WithRetryDelay(Error(absl::StatusCode::kUnavailable, "the database cannot be reached; try again"),
                             milliseconds(1000));
}

}  // namespace

// One thread's connection and the pause after a failed one.
class DbPool::Worker {
 public:
  explicit Worker(DbPool& pool) : pool_(pool) {}

  absl::Status RunJob(const Job& job) {
    if (Clock::now() > job.deadline) {
      return Error(absl::StatusCode::kDeadlineExceeded, "the database was busy until the deadline; try again");
    }
    int lost = 0, conflicts = 0;
    while (true) {
      if (!Connect()) return Down();
      std::string sqlstate;
      DbFailure failure;
      const auto start = Clock::now();
      try {
        (*job.work)(*connection_);
        const auto took = Clock::now() - start;
        const bool slow = took > pool_.options_.slow_query;
        pool_.metrics_.Observe(job.name, took, slow);
        if (slow) {
          log::Warning("slow_query", {{"query", log::Public(job.name)},
                                      {"ms", std::chrono::duration_cast<milliseconds>(took).count()}});
        }
        SetUp(true);
        return absl::OkStatus();
      } catch (...) {
        failure = ClassifyCurrentException(&sqlstate);
      }
      switch (failure) {
        case DbFailure::kLost:
          Drop(sqlstate);
          if (++lost > 1 || Clock::now() > job.deadline) return Down();
          break;
        case DbFailure::kConflict:
          if (++conflicts > 3) return Down();
          break;
        case DbFailure::kTimeout:
          log::Warning("statement_timeout", {{"query", log::Public(job.name)}});
          return Error(absl::StatusCode::kDeadlineExceeded, "the database took too long; try again");
        case DbFailure::kNotReady:
          return rpc::WithRetryDelay(
              Error(absl::StatusCode::kUnavailable, "the database has no schema yet; wait for the migrations"),
              milliseconds(1000));
        case DbFailure::kOther:
          pool_.metrics_.jobs_failed.Increment();
          log::Error("query_failed", {{"query", log::Public(job.name)}, {"sqlstate", log::Public(sqlstate)}});
          return Error(absl::StatusCode::kInternal, "a database statement failed; see the store's log");
      }
      pool_.metrics_.jobs_retried.Increment();
    }
  }

 private:
  bool Connect() {
    if (connection_ != nullptr) return true;
    if (Clock::now() < next_try_) return false;
    std::string sqlstate;
    try {
      connection_ = OpenConnection(pool_.options_.url, pool_.options_.role, pool_.options_.statement_timeout);
      pause_ = milliseconds(100);
      return true;
    } catch (...) {
      ClassifyCurrentException(&sqlstate);
    }
    if (pool_.up_) log::Warning("database_unreachable", {{"sqlstate", log::Public(sqlstate)}});
    SetUp(false);
    next_try_ = Clock::now() + pause_;
    pause_ = std::min(pause_ * 2, milliseconds(2000));
    return false;
  }
  void Drop(const std::string& sqlstate) {
    connection_.reset();
    pool_.metrics_.connections_lost.Increment();
    log::Warning("database_connection_lost", {{"sqlstate", log::Public(sqlstate)}});
    SetUp(false);
  }
  void SetUp(bool up) {
    if (pool_.up_.exchange(up) != up && up) log::Info("database_reached");
    pool_.metrics_.database_up.Set(up ? 1 : 0);
  }

  DbPool& pool_;
  std::unique_ptr<pqxx::connection> connection_;
  Clock::time_point next_try_{};
  milliseconds pause_{100};
};

DbPool::DbPool(Options options, StoreMetrics& metrics)
    : options_(std::move(options)), metrics_(metrics), open_(!options_.start_closed) {
  metrics_.pool_idle.Set(options_.connections);
  for (int i = 0; i < options_.connections; ++i) threads_.emplace_back([this] { RunWorker(); });
}

DbPool::~DbPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  for (Job& job : queue_) job.done(Error(absl::StatusCode::kUnavailable, "the store is stopping; try again"));
}

void DbPool::Enqueue(Job job) {
  if (!open_.load(std::memory_order_relaxed)) {
    return job.done(rpc::WithRetryDelay(
        Error(absl::StatusCode::kUnavailable, "the store is preparing its database; try again"), milliseconds(1000)));
  }
  job.trace = log::CurrentTrace();
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && queue_.size() < static_cast<std::size_t>(options_.max_waiting)) {
      queue_.push_back(std::move(job));
      metrics_.pool_waiting.Set(static_cast<double>(queue_.size()));
      ready_.notify_one();
      return;
    }
  }
  job.done(Full());
}

absl::Status DbPool::Full() {
  metrics_.pool_rejected.Increment();
  return rpc::WithRetryDelay(
      Error(absl::StatusCode::kResourceExhausted, "too many calls wait for the database; try again with back-off"),
      milliseconds(1000));
}

void DbPool::RunWorker() {
  Worker worker(*this);
  std::unique_lock lock(mutex_);
  while (true) {
    ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    metrics_.pool_waiting.Set(static_cast<double>(queue_.size()));
    lock.unlock();
    metrics_.pool_in_use.Increment();
    metrics_.pool_idle.Decrement();
    absl::Status status;
    {
      const log::TraceScope scope(job.trace);
      status = worker.RunJob(job);
    }
    metrics_.pool_in_use.Decrement();
    metrics_.pool_idle.Increment();
    job.done(std::move(status));
    job = {};
    lock.lock();
  }
}

}  // namespace medidesk::store
