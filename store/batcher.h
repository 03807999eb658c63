// Gathers calls that would wait for the database anyway into one statement (group commit).
//
// A call that finds fewer than `max_in_flight` batches of its kind at work goes at once, alone. What
// comes meanwhile waits and goes together when one ends: nobody is delayed by a timer, and one
// caller at a time pays what it paid without this.
//
// `Item` is one call: what goes in and what comes out. It needs `const std::string& key() const`;
// items with equal keys never share a batch (the later ones wait for the next). `work` runs on a thread of the
// pool with 1 to `max_size` items and may throw what libpqxx throws; like every job of the pool it
// must be safe to repeat. When a batch of several fails for a reason of its own (not because the
// database is away), its items are tried again one by one: a poisonous call fails alone.
//
// Thread-safe. `item` is referenced until Run() completes. Made with std::make_shared: batches on their way
// keep it alive; the pool outlives the last Run().
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/db_pool.h"

namespace medidesk::store {

template <class Item>
class Batcher : public std::enable_shared_from_this<Batcher<Item>> {
 public:
  using Work = std::function<void(DbConnection&, std::span<Item* const>)>;
  struct Options {
    std::size_t max_size = 8;
    int max_in_flight = 1;
    std::size_t max_waiting = 256;
  };

  Batcher(DbPool& pool, const char* name, Options options, Work work)
      : pool_(pool), name_(name), options_(options), work_(std::move(work)) {}
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Errors are the pool's.
  asio::awaitable<absl::Status> Run(DbPool::Clock::time_point deadline, Item& item) {
    return asio::async_initiate<const asio::use_awaitable_t<>, void(absl::Status)>(
        [this](auto handler, DbPool::Clock::time_point deadline, Item* item) {
          auto guard = asio::make_work_guard(asio::get_associated_executor(handler));
          auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          Add({item, deadline, [guard, shared](absl::Status status) {
                 asio::post(guard.get_executor(),
                            [shared, status = std::move(status)]() mutable { std::move (*shared)(std::move(status)); });
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
    std::vector<Call> calls;
    std::vector<Item*> items;
    std::function<void(DbConnection&)> job;
  };

  void Add(Call call) {
    bool added = false;
    {
      const std::lock_guard lock(mutex_);
      added = waiting_.size() < options_.max_waiting;
      if (added) waiting_.push_back(std::move(call));
    }
    if (!added) return call.done(pool_.Full());
    StartNext();
  }

  // Takes what may go together, in order; null when nothing may go now.
  std::shared_ptr<Batch> Take() {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty() || in_flight_ >= options_.max_in_flight) return nullptr;
    auto batch = std::make_shared<Batch>();
    auto kept = waiting_.begin();
    for (auto call = waiting_.begin(); call != waiting_.end(); ++call) {
      const bool fits = batch->calls.size() < options_.max_size &&
                        std::none_of(batch->items.begin(), batch->items.end(),
                                     [&](const Item* other) { return other->key() == call->item->key(); });
      if (fits) {
        batch->items.push_back(call->item);
        batch->calls.push_back(std::move(*call));
      } else {
        if (kept != call) *kept = std::move(*call);
        ++kept;
      }
    }
    waiting_.erase(kept, waiting_.end());
    ++in_flight_;
    return batch;
  }

  void StartNext() {
    while (const std::shared_ptr<Batch> batch = Take()) {
      Start(batch, [self = this->shared_from_this()] {
        {
          const std::lock_guard lock(self->mutex_);
          --self->in_flight_;
        }
        self->StartNext();
      });
    }
  }

  // `then` runs before the callers hear of it: the next batch is on its way while they are woken.
  void Start(std::shared_ptr<Batch> batch, std::function<void()> then) {
    batch->job = [this, items = std::span<Item* const>(batch->items)](DbConnection& connection) {
      work_(connection, items);
    };
    DbPool::Clock::time_point deadline{};
    for (const Call& call : batch->calls) deadline = std::max(deadline, call.deadline);
    DbPool::Job job{name_, deadline, &batch->job, {}};
    job.done = [self = this->shared_from_this(), batch, then](absl::Status status) {
      if (then) then();
      const bool own_fault =
          status.code() == absl::StatusCode::kInternal || status.code() == absl::StatusCode::kDeadlineExceeded;
      if (own_fault && batch->calls.size() > 1) {
        for (Call& call : batch->calls) {
          auto alone = std::make_shared<Batch>();
          alone->items.push_back(call.item);
          alone->calls.push_back(std::move(call));
          self->Start(alone, nullptr);
        }
        return;
      }
      for (Call& call : batch->calls) call.done(status);
    };
    pool_.Enqueue(std::move(job));
  }

  DbPool& pool_;
  const char* const name_;
  const Options options_;
  const Work work_;
  std::mutex mutex_;
  std::vector<Call> waiting_;  // under mutex_
  int in_flight_ = 0;          // under mutex_
};

}  // namespace medidesk::store
