// Runs blocking libpqxx work off the event loop, with a bound on everything: `connections` threads,
// one connection each, and at most `max_waiting` jobs queued behind them.
//
// A job is tried again, once, on a fresh connection when its connection is lost, and up to three
// times after a deadlock or serialization failure: every job must be safe to repeat (ours are, by
// their commit ids). Errors of a job as its caller sees them:
//   RESOURCE_EXHAUSTED  the queue is full
//   UNAVAILABLE         no database, or it is restarting; the outcome of a write is then unknown
//   DEADLINE_EXCEEDED   the deadline passed before the job could start, or the statement took too long
//   INTERNAL            anything else; the SQLSTATE is logged, PostgreSQL's text never is (it quotes rows)
//
// Connections are made at the first job and again, after a pause of 0.1 to 2 s, when they were lost.
// Thread-safe. Destruction waits for the jobs already started; queued ones end with UNAVAILABLE.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/phi.h"
#include "base/status.h"
#include "store/database.h"
#include "store/metrics.h"

namespace medidesk::store {

namespace asio = boost::asio;

class DbPool {
 public:
  using Clock = std::chrono::steady_clock;
  struct Options {
    Phi<std::string> url;                       // libpq connection string or URL
    int connections = 8;                        // threads and server connections
    int max_waiting = 256;                      // jobs
    std::chrono::milliseconds slow_query{250};  // counted and logged above
    std::chrono::milliseconds statement_timeout{10'000};
    std::string role = "medidesk_service";  // assumed by each connection where it may; empty: none
    bool start_closed = false;              // until the schema and the first facts are there
  };

  DbPool(Options options, StoreMetrics& metrics);
  ~DbPool();
  DbPool(const DbPool&) = delete;
  DbPool& operator=(const DbPool&) = delete;

  // Runs `work` with a connection in autocommit. `work` may throw what libpqxx throws, and is
  // referenced until this completes. A job whose turn comes after `deadline` is not run.
  template <class T>
  asio::awaitable<absl::StatusOr<T>> Run(const Query& query, Clock::time_point deadline,
                                         const std::function<T(DbConnection&)>& work) {
    std::optional<T> result;
    const std::function<void(DbConnection&)> job = [&](DbConnection& connection) { result = work(connection); };
    const absl::Status status = co_await Submit(query.name, deadline, job);
    if (!status.ok()) co_return status;
    co_return *std::move(result);
  }

  // A pool made with `start_closed` refuses jobs with UNAVAILABLE until this is called.
  void Open() { open_.store(true); }

  // What the last job found; true before the first.
  bool database_up() const { return up_.load(std::memory_order_relaxed); }

  // For those who make jobs of their own (Batcher): `work` is referenced until `done` is called, which
  // happens once, on a thread of the pool or on the caller's.
  struct Job {
    const char* name;
    Clock::time_point deadline;
    const std::function<void(DbConnection&)>* work;
    std::function<void(absl::Status)> done;
    log::TraceId trace = nullptr;  // set by Enqueue: of the call that asks
  };
  void Enqueue(Job job);
  // Counts a refused call and gives its error.
  absl::Status Full();

 private:
  class Worker;

  asio::awaitable<absl::Status> Submit(const char* name, Clock::time_point deadline,
                                       const std::function<void(DbConnection&)>& work) {
    return asio::async_initiate<const asio::use_awaitable_t<>, void(absl::Status)>(
        [this](auto handler, const char* name, Clock::time_point deadline,
               const std::function<void(DbConnection&)>* work) {
          auto guard = asio::make_work_guard(asio::get_associated_executor(handler));
          auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          Enqueue({name, deadline, work, [guard, shared](absl::Status status) {
                     asio::post(guard.get_executor(), [shared, status = std::move(status)]() mutable {
                       std::move (*shared)(std::move(status));
                     });
                   }});
        },
        asio::use_awaitable, name, deadline, &work);
  }
  void RunWorker();

  const Options options_;
  StoreMetrics& metrics_;
  std::atomic<bool> open_;
  std::atomic<bool> up_{true};
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> queue_;  // under mutex_
  bool stopping_ = false;  // under mutex_
  std::vector<std::thread> threads_;
};

}  // namespace medidesk::store
