// What a number's journal holds, and what of it the store does not have.
//
//   record    operations as they were to be committed, with the revision of the first; each operation takes one
//   journal   record, record, ...   a record takes the place of all before it that reach its revision or beyond
//   store     the revision of the last operation that it has
//
// So the store's revision tells where to go on, as long as nobody else has written under a lease in between.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "gateway/service/number_write.h"
#include "gateway/wa/bytes.h"
#include "medidesk/store/v1/device.pb.h"

namespace medidesk::gateway {

wa::Bytes JournalRecordOf(const store::v1::CommitBatchRequest& batch);

struct ReplayPlan {
  // What the store does not have, in order. Token and commit id are an earlier run's.
  std::vector<store::v1::CommitBatchRequest> batches;
  // They do not go on where the store is, or it cannot be told whether they do.
  bool diverged = false;
};
// `lease_token` is ours. DATA_LOSS for a record that is no batch of this number.
absl::StatusOr<ReplayPlan> PlanReplay(const std::string& number_id, const std::vector<wa::Bytes>& records,
                                      std::int64_t lease_token, std::int64_t store_revision);

// For batches that are never committed: the sessions that they moved are deleted, as what has left under them cannot be
// taken back, and a person is told. Those peers start afresh, and what they wrote comes again.
NumberWrite AmendsFor(const std::vector<store::v1::CommitBatchRequest>& batches);
// Where it cannot be told which they were: all.
NumberWrite AmendsForAll();

}  // namespace medidesk::gateway
