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
#include "gateway/service/journal_replay.h"

namespace medidesk::gateway {
namespace {

namespace asio = boost::asio;
namespace v1 = store::v1;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kRecordFrame = 64;  // bytes of a record's message beyond key and value, at most

absl::Status Closed() { return Error(absl::StatusCode::kCancelled, "the number is being closed"); }

// For what reads before it writes, while the journal holds writes that have their revisions already.
absl::Status Later() { return Error(absl::StatusCode::kUnavailable, "what the journal holds goes first"); }

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
      revision_(options_.revision),
      replayed_(options_.journal == nullptr) {}

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
  waiting.id = ++last_id_;
  queued_bytes_ += waiting.bytes;
  queue_.push_back(std::move(waiting));
  if (queue_.back().write.patience) WatchPatience(queue_.back());
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
  if (!replayed_) co_await Replay();
  while (end_.ok() && !queue_.empty()) {
    Batch batch = TakeBatch();
    const bool wanted = batch.front().prepare == nullptr || co_await PrepareOne(batch.front());
    if (wanted) co_await CommitAll(std::move(batch));
    DropJournalWhenDone();
  }
  running_ = false;
}

// Off the queue: what fits, or one that goes alone.
NumberWriter::Batch NumberWriter::TakeBatch() {
  Batch batch;
  std::size_t bytes = 0;
  int operations = 0;
  while (!queue_.empty()) {
    Waiting& next = queue_.front();
    const bool alone = next.prepare != nullptr || next.alone;
    const bool fits = operations + next.operations <= kMaxOperations && bytes + next.bytes <= kMaxBatch;
    if (!batch.empty() && (alone || !fits)) break;
    bytes += next.bytes;
    operations += next.operations;
    batch.push_back(std::move(next));
    queue_.pop_front();
    if (alone) break;
  }
  queued_bytes_ -= bytes;
  return batch;
}

// False: there is nothing to write, and it has been told so.
asio::awaitable<bool> NumberWriter::PrepareOne(Waiting& one) {
  auto prepared = co_await one.prepare();
  if (prepared.ok() && QueueJournaled()) prepared = Later();
  if (!prepared.ok() || CountOperations(*prepared) == 0) {
    absl::StatusOr<Results> nothing = Results();
    if (!prepared.ok()) nothing = prepared.status();
    one.done(std::move(nothing));
    co_return false;
  }
  one.write = *std::move(prepared);
  one.operations = CountOperations(one.write);
  co_return true;
}

asio::awaitable<void> NumberWriter::CommitAll(Batch batch) {
  if (!end_.ok()) {
    for (Waiting& one : batch) one.done(end_);
    co_return;
  }
  const v1::CommitBatchRequest request = Build(batch, revision_ + 1);
  in_flight_ = &request;
  in_flight_journaled_ = std::all_of(batch.begin(), batch.end(), [](const Waiting& one) { return one.journaled; });
  first_in_flight_ = batch.front().id;
  last_in_flight_ = batch.back().id;
  auto outcome = co_await UntilKnown(request);
  in_flight_ = nullptr;
  int at = 0;
  if (outcome.ok() && outcome->results_size() != request.operations_size()) {
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
  if (EndsTheWriter(status) && end_.ok()) {
    log::Warning("gateway.writes_refused", {{"reason", log::Public(rpc::Reason(status))}});
    End(status);
    options_.on_lost(status);
  }
  if (batch.size() > 1 && end_.ok()) {
    // Nothing of it was applied. Whose fault it was shows when they go one by one.
    for (auto one = batch.rbegin(); one != batch.rend(); ++one) {
      one->alone = true;
      one->journaled = in_flight_journaled_;
      queued_bytes_ += one->bytes;
      queue_.push_front(std::move(*one));
    }
    co_return;
  }
  for (Waiting& one : batch) one.done(status);
  // What follows takes the revisions that this one would have had.
  if (end_.ok() && QueueJournaled()) {
    for (Waiting& one : queue_) one.journaled = false;
    PutInJournal();
  }
}

// ---- The journal --------------------------------------------------------------------------------

void NumberWriter::WatchPatience(const Waiting& waiting) {
  const auto timer = std::make_shared<asio::steady_timer>(strand_, *waiting.write.patience);
  timer->async_wait([weak = weak_from_this(), timer, id = waiting.id,
                     on_journaled = waiting.write.on_journaled](boost::system::error_code) {
    if (const auto self = weak.lock()) self->LosePatience(id, on_journaled);
  });
}

void NumberWriter::LosePatience(std::uint64_t id, const std::function<void()>& on_journaled) {
  const bool waits = std::any_of(queue_.begin(), queue_.end(), [id](const Waiting& one) { return one.id == id; });
  const bool in_flight = in_flight_ != nullptr && first_in_flight_ <= id && id <= last_in_flight_;
  if ((waits || in_flight) && PutInJournal()) on_journaled();
}

// All that is in flight or waits, as far as it is not there. A write that is refused shifts the revisions of those
// behind it: they are put there again.
bool NumberWriter::PutInJournal() {
  if (options_.journal == nullptr || !end_.ok() || !replayed_) return false;
  std::vector<wa::Bytes> records;
  std::int64_t next = revision_ + 1;
  if (in_flight_ != nullptr) {
    if (!in_flight_journaled_) records.push_back(JournalRecordOf(*in_flight_));
    next = in_flight_->first_revision() + in_flight_->operations_size();
  }
  // How many operations these will be is not known: they come again, behind the others.
  std::erase_if(queue_, [](Waiting& one) {
    if (one.prepare != nullptr) one.done(Later());
    return one.prepare != nullptr;
  });
  for (const Waiting& one : queue_) {
    if (!one.journaled) records.push_back(JournalRecordOf(Build({&one, 1}, next)));
    next += one.operations;
  }
  const absl::Status written = options_.journal->Append(records);
  if (options_.metrics != nullptr) {
    GatewayMetrics& metrics = *options_.metrics;
    (written.ok() ? metrics.journal_writes : metrics.journal_failures).Increment();
  }
  if (!written.ok()) {
    log::Error("gateway.journal_failed", {{"detail", log::Public(Text(written))}});
    return false;
  }
  in_flight_journaled_ = true;
  for (Waiting& one : queue_) one.journaled = true;
  journal_used_ = true;
  log::Warning("gateway.journal_written", {{"writes", static_cast<int>(records.size())}});
  return true;
}

bool NumberWriter::QueueJournaled() const {
  return std::any_of(queue_.begin(), queue_.end(), [](const Waiting& one) { return one.journaled; });
}

// Nothing is in flight. As long as it is there, the store's revision tells that the store has what is in it.
void NumberWriter::DropJournalWhenDone() {
  if (!journal_used_ || !end_.ok() || QueueJournaled()) return;
  const absl::Status dropped = options_.journal->Drop();
  if (!dropped.ok()) log::Warning("gateway.journal_not_dropped", {{"detail", log::Public(Text(dropped))}});
  journal_used_ = false;
}

asio::awaitable<absl::Status> NumberWriter::Replayed() {
  const Prepare nothing = []() -> asio::awaitable<absl::StatusOr<NumberWrite>> { co_return NumberWrite(); };
  co_return (co_await CommitPrepared(nothing)).status();
}

asio::awaitable<void> NumberWriter::Replay() {
  const auto self = shared_from_this();
  absl::StatusOr<ReplayPlan> plan = ReplayPlan();
  const absl::StatusOr<std::vector<wa::Bytes>> records = options_.journal->Read();
  if (records.ok()) {
    plan = PlanReplay(options_.number_id, *records, options_.lease_token, revision_);
  } else {
    plan = records.status();
  }
  if (!plan.ok()) {
    log::Error("gateway.journal_unreadable", {{"detail", log::Public(Text(plan.status()))}});
    co_await MakeAmends(AmendsForAll());
    if (!end_.ok()) co_return;
    const absl::Status aside = options_.journal->SetAside();
    if (!aside.ok()) log::Warning("gateway.journal_not_dropped", {{"detail", log::Public(Text(aside))}});
  } else if (!records->empty()) {
    std::vector<v1::CommitBatchRequest>& batches = plan->batches;
    std::size_t done = 0;
    while (!plan->diverged && done < batches.size()) {
      const absl::Status status = co_await ReplayBatch(batches[done]);
      if (!end_.ok()) co_return;  // as it is, it waits for whoever has the number next
      if (!status.ok()) break;
      ++done;
    }
    if (options_.metrics != nullptr) options_.metrics->journal_replayed.Increment(static_cast<double>(done));
    log::Warning("gateway.journal_replayed",
                 {{"writes", static_cast<int>(done)}, {"refused", static_cast<int>(batches.size() - done)}});
    batches.erase(batches.begin(), batches.begin() + static_cast<std::ptrdiff_t>(done));
    if (!batches.empty()) {
      co_await MakeAmends(AmendsFor(batches));
      if (!end_.ok()) co_return;
    }
    const absl::Status dropped = options_.journal->Drop();
    if (!dropped.ok()) log::Warning("gateway.journal_not_dropped", {{"detail", log::Public(Text(dropped))}});
  }
  replayed_ = true;
}

asio::awaitable<absl::Status> NumberWriter::ReplayBatch(v1::CommitBatchRequest batch) {
  batch.set_lease_token(options_.lease_token);
  batch.set_commit_id(NewUuid());
  const auto outcome = co_await UntilKnown(std::move(batch));
  if (outcome.ok()) revision_ = outcome->revision();
  if (EndsTheWriter(outcome.status()) && end_.ok()) {
    End(outcome.status());
    options_.on_lost(outcome.status());
  }
  co_return outcome.status();
}

asio::awaitable<void> NumberWriter::MakeAmends(NumberWrite write) {
  if (options_.metrics != nullptr) options_.metrics->journal_refused.Increment();
  std::vector<Waiting> amends(1);
  amends[0].write = std::move(write);
  const absl::Status status = co_await ReplayBatch(Build(amends, revision_ + 1));
  if (!status.ok()) log::Error("gateway.journal_amends_refused", {{"code", static_cast<int>(status.code())}});
}

v1::CommitBatchRequest NumberWriter::Build(std::span<const Waiting> writes, std::int64_t first_revision) const {
  v1::CommitBatchRequest request;
  request.set_number_id(options_.number_id);
  request.set_lease_token(options_.lease_token);
  request.set_commit_id(NewUuid());
  request.set_first_revision(first_revision);
  for (const Waiting& one : writes) {
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
