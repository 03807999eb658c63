// Gathers calls that would wait for the database anyway into one statement (group commit).
//
// A call that finds no batch at work goes at once, alone. What comes meanwhile waits and goes together
// when that batch ends, or when it has taken longer than `patience` (a lock, a slow disk): nobody is
// delayed by more than that for the sake of gathering, and one caller at a time pays what it paid without this.
//
// `Item` is one call: what goes in and what comes out. Found by its namespace:
// `const std::string& KeyOf(const Item&)`; items with equal keys never share a batch, the later ones wait
// for the next. `work` runs on a thread of the pool with 1 to `max_size` items, may throw what libpqxx throws and, like
// every job of the pool, must be safe to repeat. It returns the items that it left undone, none when it was given one:
// each of these follows as a batch of its own, and holds nobody up. When a batch of several fails for a reason of its
// own (not because the database is away), its items are tried again one by one: a poisonous call fails alone.
//
// Thread-safe. `item` is referenced until Run() completes. Made with std::make_shared: batches on their way
// keep it alive; the pool and the callers' event loop outlive the last Run().
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/db_pool.h"

namespace medidesk::store {

template <class Item>
class Batcher : public std::enable_shared_from_this<Batcher<Item>> {
 public:
  using Work = std::function<std::vector<Item*>(DbConnection&, std::span<Item* const>)>;
  struct Options {
    std::size_t max_size = 8;
    int max_in_flight = 4;                  // batches, those that take long included
    std::chrono::milliseconds patience{5};  // with the batch at work
    std::size_t max_waiting = 256;          // calls
  };

  // `name`, a literal, labels the jobs.
  Batcher(DbPool& pool, const char* name, Options options, Work work)
      : pool_(pool), name_(name), options_(options), work_(std::move(work)) {}
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Errors are the pool's.
  asio::awaitable<absl::Status> Run(DbPool::Clock::time_point deadline, Item& item) {
    return asio::async_initiate<const asio::use_awaitable_t<>, void(absl::Status)>(
        [this](auto handler, DbPool::Clock::time_point deadline, Item* item) {
          const asio::any_io_executor executor = asio::get_associated_executor(handler);
          auto guard = asio::make_work_guard(executor);
          auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          Add(executor, {item, deadline, [guard, shared](absl::Status status) {
                           asio::post(guard.get_executor(), [shared, status = std::move(status)]() mutable {
                             std::move (*shared)(std::move(status));
                           });
                         }});
        },
        asio::use_awaitable, deadline, &item);
  }

 private:
  struct Call {
    Item* item;
    DbPool::Clock::time_point deadline;
    std::function<void(absl::Status)> done;
  };
  struct Batch {
    std::uint64_t number = 0;  // 0: one that follows another, not counted
    std::vector<Call> calls;
    std::vector<Item*> items;
    std::vector<Item*> undone;
    std::function<void(DbConnection&)> job;
  };

  void Add(const asio::any_io_executor& executor, Call call) {
    bool added = false;
    {
      const std::lock_guard lock(mutex_);
      if (!timer_.has_value()) timer_.emplace(executor);
      added = waiting_.size() < options_.max_waiting;
      if (added) waiting_.push_back(std::move(call));
    }
    if (!added) return call.done(pool_.Full());
    StartNext();
  }

  void StartNext() {
    while (const std::shared_ptr<Batch> batch = Take()) Start(batch);
  }

  // Takes what may go together, in order; null when nothing may go now.
  std::shared_ptr<Batch> Take() {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty() || in_flight_ >= options_.max_in_flight) return nullptr;
    const auto now = DbPool::Clock::now();
    if (at_work_ != 0 && now < patient_until_) {
      LookAgain(patient_until_);
      return nullptr;
    }
    auto batch = std::make_shared<Batch>();
    auto kept = waiting_.begin();
    for (auto call = waiting_.begin(); call != waiting_.end(); ++call) {
      const bool fits = batch->calls.size() < options_.max_size &&
                        std::none_of(batch->items.begin(), batch->items.end(),
                                     [&](const Item* other) { return KeyOf(*other) == KeyOf(*call->item); });
      if (fits) {
        batch->items.push_back(call->item);
        batch->calls.push_back(std::move(*call));
      } else {
        if (kept != call) *kept = std::move(*call);
        ++kept;
      }
    }
    waiting_.erase(kept, waiting_.end());
    batch->number = at_work_ = ++last_number_;
    patient_until_ = now + options_.patience;
    ++in_flight_;
    return batch;
  }

  // Under mutex_. One timer for all: it finds out itself whether there is anything to do.
  void LookAgain(DbPool::Clock::time_point time) {
    if (timer_set_) return;
    timer_set_ = true;
    timer_->expires_at(time);
    timer_->async_wait([weak = this->weak_from_this()](boost::system::error_code) {
      const auto self = weak.lock();
      if (self == nullptr) return;
      {
        const std::lock_guard lock(self->mutex_);
        self->timer_set_ = false;
      }
      self->StartNext();
    });
  }

  void Start(std::shared_ptr<Batch> batch) {
    batch->job = [this, b = batch.get()](DbConnection& connection) { b->undone = work_(connection, b->items); };
    DbPool::Clock::time_point deadline{};
    for (const Call& call : batch->calls) deadline = std::max(deadline, call.deadline);
    DbPool::Job job{name_, deadline, &batch->job, {}};
    job.done = [self = this->shared_from_this(), batch](absl::Status status) { self->End(*batch, std::move(status)); };
    pool_.Enqueue(std::move(job));
  }

  void End(Batch& batch, absl::Status status) {
    if (batch.number != 0) {
      {
        const std::lock_guard lock(mutex_);
        --in_flight_;
        if (at_work_ == batch.number) at_work_ = 0;
      }
      StartNext();  // the next is on its way while the callers are woken
    }
    const bool own_fault =
        status.code() == absl::StatusCode::kInternal || status.code() == absl::StatusCode::kDeadlineExceeded;
    for (Call& call : batch.calls) {
      const bool undone = status.ok()
                              ? std::find(batch.undone.begin(), batch.undone.end(), call.item) != batch.undone.end()
                              : own_fault;
      if (!undone || batch.calls.size() == 1) {
        call.done(status);
        continue;
      }
      auto alone = std::make_shared<Batch>();
      alone->items.push_back(call.item);
      alone->calls.push_back(std::move(call));
      Start(std::move(alone));
    }
  }

  DbPool& pool_;
  const char* const name_;
  const Options options_;
  const Work work_;
  std::mutex mutex_;
  std::optional<asio::steady_timer> timer_;  // on the first caller's executor; under mutex_, like everything below
  bool timer_set_ = false;
  std::vector<Call> waiting_;
  int in_flight_ = 0;
  std::uint64_t last_number_ = 0;
  std::uint64_t at_work_ = 0;                  // the youngest batch at work; 0: none
  DbPool::Clock::time_point patient_until_{};  // of that batch
};

}  // namespace medidesk::store
