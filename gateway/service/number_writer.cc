#include "gateway/service/number_writer.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/rpc/error_details.h"
#include "base/status.h"
#include "base/uuid.h"

namespace medidesk::gateway {
namespace {

namespace asio = boost::asio;
namespace v1 = store::v1;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kRecordFrame = 64;  // bytes of a record's message beyond key and value, at most

absl::Status Closed() { return Error(absl::StatusCode::kCancelled, "the number is being closed"); }

bool EndsTheWriter(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kFailedPrecondition) return false;
  const std::string reason = rpc::Reason(status);
  return reason == "LEASE_LOST" || reason == "REVISION_MISMATCH";
}

int CountOperations(const NumberWrite& write) {
  return static_cast<int>(write.changes.wipes.size() + write.changes.deletes.size() + write.changes.puts.size() +
                          write.operations.size());
}

std::size_t CountBytes(const NumberWrite& write) {
  std::size_t bytes = kRecordFrame * (write.changes.wipes.size() + write.changes.deletes.size());
  for (const wa::RecordName& name : write.changes.deletes) bytes += name.key.size();
  for (const wa::Record& record : write.changes.puts) {
    bytes += kRecordFrame + record.name.key.size() + record.value.size() + SealingKeys::kOverhead;
  }
  for (const v1::Operation& operation : write.operations) bytes += operation.ByteSizeLong() + 8;
  return bytes;
}

}  // namespace

bool NumberWriter::OutcomeUnknown(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
      return false;
    default:
      return true;
  }
}

NumberWriter::NumberWriter(asio::any_io_executor executor, Options options)
    : strand_(asio::make_strand(std::move(executor))),
      options_(std::move(options)),
      pause_(strand_),
      revision_(options_.revision) {}

asio::awaitable<absl::StatusOr<NumberWriter::Results>> NumberWriter::Commit(NumberWrite write) {
  auto waiting = std::make_shared<Waiting>();
  waiting->bytes = CountBytes(write);
  waiting->operations = CountOperations(write);
  waiting->write = std::move(write);
  if (waiting->operations == 0) co_return Results();
  if (waiting->operations > kMaxOperations || waiting->bytes > kMaxBatch) {
    co_return Error(absl::StatusCode::kInvalidArgument, "a write is larger than a batch may be");
  }
  co_return co_await Wait(std::move(waiting));
}

asio::awaitable<absl::StatusOr<NumberWriter::Results>> NumberWriter::CommitPrepared(Prepare prepare) {
  auto waiting = std::make_shared<Waiting>();
  waiting->prepare = std::move(prepare);
  co_return co_await Wait(std::move(waiting));
}

asio::awaitable<absl::StatusOr<NumberWriter::Results>> NumberWriter::Wait(std::shared_ptr<Waiting> waiting) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(absl::StatusOr<Results>)>(
      [](auto handler, std::shared_ptr<NumberWriter> self, std::shared_ptr<Waiting> waiting) {
        auto guard = asio::make_work_guard(asio::get_associated_executor(handler));
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        waiting->done = [guard, shared](absl::StatusOr<Results> results) {
          asio::post(guard.get_executor(),
                     [shared, results = std::move(results)]() mutable { std::move (*shared)(std::move(results)); });
        };
        asio::post(self->strand_, [self, waiting] { self->Add(std::move(*waiting)); });
      },
      asio::use_awaitable, shared_from_this(), std::move(waiting));
}

void NumberWriter::Add(Waiting waiting) {
  if (!end_.ok()) return waiting.done(end_);
  if (queue_.size() >= kMaxWaiting || queued_bytes_ + waiting.bytes > kMaxBytes) {
    return waiting.done(Error(absl::StatusCode::kResourceExhausted, "too much waits for the store"));
  }
  queued_bytes_ += waiting.bytes;
  queue_.push_back(std::move(waiting));
  if (!std::exchange(running_, true)) {
    asio::co_spawn(
        strand_, [self = shared_from_this()] { return self->Run(); }, asio::detached);
  }
}

void NumberWriter::Close() {
  asio::post(strand_, [self = shared_from_this()] { self->End(Closed()); });
}

void NumberWriter::Lose(absl::Status status) {
  asio::post(strand_, [self = shared_from_this(), status = std::move(status)]() mutable {
    if (!self->end_.ok()) return;
    self->End(status);
    self->options_.on_lost(status);
  });
}

void NumberWriter::End(absl::Status status) {
  if (end_.ok()) end_ = std::move(status);
  pause_.cancel();
  std::deque<Waiting> waiting = std::exchange(queue_, {});
  queued_bytes_ = 0;
  for (Waiting& one : waiting) one.done(end_);
}

asio::awaitable<void> NumberWriter::Run() {
  while (!queue_.empty() && end_.ok()) {
    Batch batch;
    std::size_t bytes = 0;
    int operations = 0;
    while (!queue_.empty()) {
      Waiting& next = queue_.front();
      const bool alone = next.prepare != nullptr;
      const bool fits = operations + next.operations <= kMaxOperations && bytes + next.bytes <= kMaxBatch;
      if (!batch.empty() && (alone || !fits)) break;
      bytes += next.bytes;
      operations += next.operations;
      queued_bytes_ -= next.bytes;
      batch.push_back(std::move(next));
      queue_.pop_front();
      if (alone) break;
    }
    if (batch.front().prepare != nullptr) {
      auto prepared = co_await batch.front().prepare();
      if (!prepared.ok() || CountOperations(*prepared) == 0) {
        absl::StatusOr<Results> nothing = Results();
        if (!prepared.ok()) nothing = prepared.status();
        batch.front().done(std::move(nothing));
        continue;
      }
      batch.front().write = *std::move(prepared);
      batch.front().operations = CountOperations(batch.front().write);
    }
    co_await CommitAll(std::move(batch));
  }
  running_ = false;
}

asio::awaitable<void> NumberWriter::CommitAll(Batch batch) {
  if (!end_.ok()) {
    for (Waiting& one : batch) one.done(end_);
    co_return;
  }
  auto outcome = co_await UntilKnown(Build(batch));
  int at = 0;
  int expected = 0;
  for (const Waiting& one : batch) expected += one.operations;
  if (outcome.ok() && outcome->results_size() != expected) {
    outcome = Error(absl::StatusCode::kDataLoss, "the store answered a batch with other results than it asks for");
    End(outcome.status());
  }
  if (outcome.ok()) {
    revision_ = outcome->revision();
    for (Waiting& one : batch) {
      const int first = at + one.operations - static_cast<int>(one.write.operations.size());
      at += one.operations;
      Results results;
      for (int k = first; k < at; ++k) results.push_back(std::move(*outcome->mutable_results(k)));
      one.done(std::move(results));
    }
    co_return;
  }
  const absl::Status status = outcome.status();
  if (batch.size() > 1 && end_.ok() && !EndsTheWriter(status)) {
    // Nothing of it was applied. Whose fault it was shows when they go one by one.
    for (Waiting& one : batch) {
      Batch alone;
      alone.push_back(std::move(one));
      co_await CommitAll(std::move(alone));
    }
    co_return;
  }
  if (EndsTheWriter(status) && end_.ok()) {
    log::Warning("gateway.writes_refused", {{"reason", log::Public(rpc::Reason(status))}});
    End(status);
    options_.on_lost(status);
  }
  for (Waiting& one : batch) one.done(status);
}

v1::CommitBatchRequest NumberWriter::Build(const Batch& batch) const {
  v1::CommitBatchRequest request;
  request.set_number_id(options_.number_id);
  request.set_lease_token(options_.lease_token);
  request.set_commit_id(NewUuid());
  request.set_first_revision(revision_ + 1);
  for (const Waiting& one : batch) {
    const wa::RecordChanges& changes = one.write.changes;
    for (const wa::RecordKind kind : changes.wipes) {
      auto* remove = request.add_operations()->mutable_delete_device_state();
      remove->set_kind(static_cast<v1::DeviceStateKind>(kind));
      remove->set_all(true);
    }
    for (const wa::RecordName& name : changes.deletes) {
      auto* remove = request.add_operations()->mutable_delete_device_state();
      remove->set_kind(static_cast<v1::DeviceStateKind>(name.kind));
      remove->set_key(name.key);
    }
    for (const wa::Record& record : changes.puts) {
      const SealedName name{.number_id = options_.number_id,
                            .record = record.name,
                            .revision = request.first_revision() + request.operations_size()};
      auto* put = request.add_operations()->mutable_put_device_state()->mutable_record();
      put->set_kind(static_cast<v1::DeviceStateKind>(record.name.kind));
      put->set_key(record.name.key);
      put->set_sealed(wa::ToString(options_.keys->Seal(name, record.value)));
    }
    for (const v1::Operation& operation : one.write.operations) *request.add_operations() = operation;
  }
  return request;
}

asio::awaitable<absl::StatusOr<v1::CommitBatchResponse>> NumberWriter::UntilKnown(v1::CommitBatchRequest request) {
  const auto start = std::chrono::steady_clock::now();
  std::chrono::milliseconds pause = options_.first_pause;
  int internal = 0;
  for (;;) {
    v1::CommitBatchRequest copy = request;
    auto outcome = co_await options_.call(std::move(copy));
    const absl::Status status = outcome.status();
    // An INTERNAL comes from the store itself, after it has looked for the commit id: it was not applied.
    const bool given_up = status.code() == absl::StatusCode::kInternal && ++internal >= kMaxInternal;
    if (!OutcomeUnknown(status) || given_up) {
      if (options_.metrics != nullptr) {
        GatewayMetrics& metrics = *options_.metrics;
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        metrics.commit_seconds.Observe(taken.count());
        if (!outcome.ok()) {
          metrics.commits_refused.Increment();
        } else {
          (outcome->repeated_commit() ? metrics.commits_repeated : metrics.commits_ok).Increment();
          metrics.commit_operations.Increment(request.operations_size());
        }
      }
      co_return outcome;
    }
    if (!end_.ok()) co_return end_;
    if (options_.metrics != nullptr) options_.metrics->commit_retries.Increment();
    pause_.expires_after(pause);
    co_await pause_.async_wait(kToken);
    if (!end_.ok()) co_return end_;
    pause = std::min(2 * pause, options_.longest_pause);
  }
}

}  // namespace medidesk::gateway
