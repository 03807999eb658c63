#include "gateway/service/journal_replay.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/status.h"

namespace medidesk::gateway {
namespace {

namespace v1 = store::v1;

constexpr std::size_t kMaxSessions = 400;  // deleted one by one in one batch; where it is more, all are

std::int64_t LastOf(const v1::CommitBatchRequest& batch) {
  return batch.first_revision() + batch.operations_size() - 1;
}

NumberWrite Attention() {
  NumberWrite write;
  write.operations.emplace_back().mutable_set_number_state()->set_needs_attention(true);
  return write;
}

}  // namespace

wa::Bytes JournalRecordOf(const v1::CommitBatchRequest& batch) { return wa::ToBytes(batch.SerializeAsString()); }

absl::StatusOr<ReplayPlan> PlanReplay(const std::string& number_id, const std::vector<wa::Bytes>& records,
                                      std::int64_t lease_token, std::int64_t store_revision) {
  ReplayPlan plan;
  std::int64_t written_under = lease_token;
  for (const wa::Bytes& record : records) {
    v1::CommitBatchRequest batch;
    if (!batch.ParseFromArray(record.data(), static_cast<int>(record.size())) || batch.number_id() != number_id ||
        batch.operations_size() == 0 || batch.first_revision() < 1) {
      return Error(absl::StatusCode::kDataLoss, "a record of the journal is no batch of this number");
    }
    written_under = batch.lease_token();
    while (!plan.batches.empty() && LastOf(plan.batches.back()) >= batch.first_revision()) plan.batches.pop_back();
    plan.batches.push_back(std::move(batch));
  }
  // The lease came straight from the run that wrote it: the store's revisions are that run's.
  const bool direct = lease_token - written_under <= 1;
  if (!direct && !plan.batches.empty() && plan.batches.front().first_revision() <= store_revision) {
    plan.diverged = true;
    return plan;
  }
  std::int64_t next = store_revision + 1;
  std::vector<v1::CommitBatchRequest> left;
  for (v1::CommitBatchRequest& batch : plan.batches) {
    if (LastOf(batch) < next) continue;
    if (batch.first_revision() < next) {
      const auto known = static_cast<int>(next - batch.first_revision());
      batch.mutable_operations()->DeleteSubrange(0, known);
      batch.set_first_revision(next);
    }
    if (batch.first_revision() != next) plan.diverged = true;
    next = LastOf(batch) + 1;
    left.push_back(std::move(batch));
  }
  plan.batches = std::move(left);
  return plan;
}

NumberWrite AmendsFor(const std::vector<v1::CommitBatchRequest>& batches) {
  std::set<std::string> sessions;
  for (const v1::CommitBatchRequest& batch : batches) {
    for (const v1::Operation& operation : batch.operations()) {
      if (!operation.has_put_device_state()) continue;
      const v1::DeviceRecord& record = operation.put_device_state().record();
      if (record.kind() == v1::DEVICE_STATE_KIND_SESSION) sessions.insert(record.key());
    }
  }
  if (sessions.size() > kMaxSessions) return AmendsForAll();
  NumberWrite write = Attention();
  for (const std::string& key : sessions) {
    write.changes.deletes.push_back({.kind = wa::RecordKind::kSession, .key = key});
  }
  return write;
}

NumberWrite AmendsForAll() {
  NumberWrite write = Attention();
  write.changes.wipes = {wa::RecordKind::kSession};
  return write;
}

}  // namespace medidesk::gateway
