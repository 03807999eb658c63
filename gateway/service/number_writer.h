// Everything that the owner of one number writes, through the one door that the store has for it: CommitBatch.
//
//   Commit ─┐                               one batch in flight, under one commit id until its outcome is known;
//   Commit ─┼─> queue ─> batch ─> store     what gathers meanwhile is the next batch
//   Commit ─┘
//
// Each write is applied whole or not at all, in the order of the calls; a result comes only after the batch is
// committed. Records are sealed here, under the revision that they get. A refusal of a batch of several writes is
// found out write by write: the others are committed. LEASE_LOST and REVISION_MISMATCH end the writer.
//
// A write that cannot wait for a silent store (NumberWrite::patience) goes to the local journal, and with it all that
// comes before it, under the revisions that they will get. The journal is dropped when the store has them; what an
// earlier run left there is committed before anything else.
//
// Thread-safe; coroutines resume on their caller's executor. Held by shared_ptr; call Close before letting go.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "gateway/device/sealing_keys.h"
#include "gateway/journal/journal_file.h"
#include "gateway/service/gateway_metrics.h"
#include "gateway/service/number_write.h"
#include "medidesk/store/v1/device.pb.h"

namespace medidesk::gateway {

class NumberWriter final : public std::enable_shared_from_this<NumberWriter> {
 public:
  static constexpr int kMaxOperations = 500;              // of a batch
  static constexpr std::size_t kMaxBatch = 2'900u << 10;  // bytes of a batch; the store takes 3 MiB
  static constexpr std::size_t kMaxWaiting = 2'000;       // writes
  static constexpr std::size_t kMaxBytes = 32u << 20;     // of all that wait
  static constexpr int kMaxInternal = 10;                 // times that the store may fail by itself at one batch

  using Results = std::vector<store::v1::OperationResult>;  // one for each of the write's `operations`
  using Call = std::function<boost::asio::awaitable<absl::StatusOr<store::v1::CommitBatchResponse>>(
      store::v1::CommitBatchRequest)>;
  using Prepare = std::function<boost::asio::awaitable<absl::StatusOr<NumberWrite>>()>;

  struct Options {
    std::string number_id;
    std::int64_t lease_token = 0;
    std::int64_t revision = 0;  // of the last committed operation
    std::shared_ptr<const SealingKeys> keys;
    // May be null: then nothing takes effect before the store has answered. Written on the writer's strand, which waits
    // for the disk, but only while the store is silent, and when a run begins.
    std::shared_ptr<JournalFile> journal;
    Call call;  // an unknown outcome is an error of its own; see OutcomeUnknown()
    // Once, with LEASE_LOST or REVISION_MISMATCH, on the writer's strand: nothing was and nothing will be written.
    std::function<void(const absl::Status&)> on_lost = [](const absl::Status&) {};
    GatewayMetrics* metrics = nullptr;                                 // outlives the writer; may be null
    std::chrono::milliseconds first_pause{200}, longest_pause{5'000};  // between two tries
  };

  NumberWriter(boost::asio::any_io_executor executor, Options options);

  // OK, or a definite refusal with the store's reason: nothing was stored. RESOURCE_EXHAUSTED when too much waits,
  // INVALID_ARGUMENT for a write that no batch can hold, CANCELLED after Close.
  boost::asio::awaitable<absl::StatusOr<Results>> Commit(NumberWrite write);
  // As Commit, with what `prepare` finds when its turn has come: nothing else of this number is under way from then
  // until it is stored, so what it has read is still so. An empty write is not sent.
  boost::asio::awaitable<absl::StatusOr<Results>> CommitPrepared(Prepare prepare);

  // What an earlier run left in the journal is in the store, or was found not to belong there any more; what is read
  // before may be old. Else why the writer has ended.
  boost::asio::awaitable<absl::Status> Replayed();

  // What waits ends with CANCELLED, a batch in flight with an unknown outcome. Idempotent.
  void Close();
  // LEASE_LOST was heard elsewhere.
  void Lose(absl::Status status);

  // Whether the outcome of a call is open: the same batch must be tried again under the same id.
  static bool OutcomeUnknown(const absl::Status& status);

 private:
  using Done = std::function<void(absl::StatusOr<Results>)>;
  struct Waiting {
    NumberWrite write;
    Prepare prepare;
    std::size_t bytes = 0;
    int operations = 0;
    Done done;
    std::uint64_t id = 0;
    bool alone = false;      // part of a batch that was refused
    bool journaled = false;  // in the journal, under the revisions that its place in the queue gives it
  };
  using Batch = std::vector<Waiting>;

  boost::asio::awaitable<absl::StatusOr<Results>> Wait(std::shared_ptr<Waiting> waiting);
  void Add(Waiting waiting);
  boost::asio::awaitable<void> Run();
  Batch TakeBatch();
  boost::asio::awaitable<bool> PrepareOne(Waiting& one);
  boost::asio::awaitable<void> CommitAll(Batch batch);
  void WatchPatience(const Waiting& waiting);
  void LosePatience(std::uint64_t id, const std::function<void()>& on_journaled);
  bool PutInJournal();
  bool QueueJournaled() const;
  void DropJournalWhenDone();
  boost::asio::awaitable<void> Replay();
  boost::asio::awaitable<absl::Status> ReplayBatch(store::v1::CommitBatchRequest batch);
  boost::asio::awaitable<void> MakeAmends(NumberWrite write);
  boost::asio::awaitable<absl::StatusOr<store::v1::CommitBatchResponse>> UntilKnown(
      store::v1::CommitBatchRequest request);
  store::v1::CommitBatchRequest Build(std::span<const Waiting> writes, std::int64_t first_revision) const;
  void End(absl::Status status);

  const boost::asio::strand<boost::asio::any_io_executor> strand_;
  const Options options_;
  boost::asio::steady_timer pause_;
  // On the strand.
  std::int64_t revision_;
  std::deque<Waiting> queue_;
  std::size_t queued_bytes_ = 0;
  bool running_ = false;
  std::uint64_t last_id_ = 0;
  std::uint64_t first_in_flight_ = 0, last_in_flight_ = 0;  // ids of the writes of in_flight_
  const store::v1::CommitBatchRequest* in_flight_ = nullptr;
  bool in_flight_journaled_ = false;
  bool journal_used_ = false;  // something was put there that has not been dropped
  bool replayed_;
  absl::Status end_;  // not OK: nothing more is written
};

}  // namespace medidesk::gateway
