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
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "gateway/device/sealing_keys.h"
#include "gateway/service/gateway_metrics.h"
#include "gateway/wa/device_record.h"
#include "medidesk/store/v1/device.pb.h"

namespace medidesk::gateway {

// What is applied together: the records first, open (an accepted message or a part to send rests on them), then the
// operations.
struct NumberWrite {
  wa::RecordChanges changes;
  std::vector<store::v1::Operation> operations;
};

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
  };
  using Batch = std::vector<Waiting>;

  boost::asio::awaitable<absl::StatusOr<Results>> Wait(std::shared_ptr<Waiting> waiting);
  void Add(Waiting waiting);
  boost::asio::awaitable<void> Run();
  boost::asio::awaitable<void> CommitAll(Batch batch);
  boost::asio::awaitable<absl::StatusOr<store::v1::CommitBatchResponse>> UntilKnown(
      store::v1::CommitBatchRequest request);
  store::v1::CommitBatchRequest Build(const Batch& batch) const;
  void End(absl::Status status);

  const boost::asio::strand<boost::asio::any_io_executor> strand_;
  const Options options_;
  boost::asio::steady_timer pause_;
  // On the strand.
  std::int64_t revision_;
  std::deque<Waiting> queue_;
  std::size_t queued_bytes_ = 0;
  bool running_ = false;
  absl::Status end_;  // not OK: nothing more is written
};

}  // namespace medidesk::gateway
