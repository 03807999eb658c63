#include "gateway/service/journal_replay.h"

#include <gtest/gtest.h>

namespace medidesk::gateway {
namespace {

namespace v1 = store::v1;

constexpr char kNumber[] = "018f3c5e-0000-7000-8000-000000000001";

// A batch from `first` on, of one session for each of `keys`.
v1::CommitBatchRequest Batch(std::int64_t first, const std::vector<std::string>& keys, std::int64_t token = 7) {
  v1::CommitBatchRequest batch;
  batch.set_number_id(kNumber);
  batch.set_lease_token(token);
  batch.set_first_revision(first);
  for (const std::string& key : keys) {
    v1::DeviceRecord* record = batch.add_operations()->mutable_put_device_state()->mutable_record();
    record->set_kind(v1::DEVICE_STATE_KIND_SESSION);
    record->set_key(key);
  }
  return batch;
}

ReplayPlan Plan(const std::vector<v1::CommitBatchRequest>& batches, std::int64_t revision, std::int64_t token = 8) {
  std::vector<wa::Bytes> records;
  for (const auto& batch : batches) records.push_back(JournalRecordOf(batch));
  return PlanReplay(kNumber, records, token, revision).value();
}

// "102: b c, 104: d"
std::string Text(const ReplayPlan& plan) {
  std::string text;
  for (const auto& batch : plan.batches) {
    if (!text.empty()) text += ", ";
    text += std::to_string(batch.first_revision()) + ":";
    for (const auto& operation : batch.operations()) text += " " + operation.put_device_state().record().key();
  }
  return text;
}

TEST(PlanReplay, HasNothingToDoWithoutAJournal) {
  const ReplayPlan plan = Plan({}, 100);
  EXPECT_TRUE(plan.batches.empty());
  EXPECT_FALSE(plan.diverged);
}

TEST(PlanReplay, GoesOnWhereTheStoreIs) {
  const std::vector<v1::CommitBatchRequest> journal = {Batch(101, {"a"}), Batch(102, {"b", "c"}), Batch(104, {"d"})};
  const struct {
    std::int64_t revision;
    const char* left;
  } kCases[] = {{100, "101: a, 102: b c, 104: d"},
                {101, "102: b c, 104: d"},
                {102, "103: c, 104: d"},
                {103, "104: d"},
                {104, ""},
                {200, ""}};
  for (const auto& one : kCases) {
    const ReplayPlan plan = Plan(journal, one.revision);
    EXPECT_FALSE(plan.diverged) << one.revision;
    EXPECT_EQ(Text(plan), one.left) << one.revision;
  }
}

TEST(PlanReplay, TakesALaterRecordForThoseThatItReaches) {
  // "b" and "c" waited, then went out as one batch; it was refused, and "c" came to b's place.
  const ReplayPlan plan = Plan({Batch(101, {"a"}), Batch(102, {"b"}), Batch(103, {"c"}), Batch(102, {"b", "c"}),
                                Batch(102, {"c"}), Batch(103, {"d"})},
                               100);
  EXPECT_FALSE(plan.diverged);
  EXPECT_EQ(Text(plan), "101: a, 102: c, 103: d");
}

TEST(PlanReplay, SeesThatSomebodyElseHasWrittenSince) {
  EXPECT_TRUE(Plan({Batch(101, {"a"})}, 101, /*token=*/9).diverged) << "these revisions are another gateway's";
  EXPECT_TRUE(Plan({Batch(101, {"a"})}, 99).diverged) << "the store is behind: it was restored";
  EXPECT_TRUE(Plan({Batch(101, {"a"}), Batch(103, {"b"})}, 100).diverged) << "something is missing in between";
}

TEST(PlanReplay, GoesOnAfterSeveralRunsThatWroteNothing) {
  const ReplayPlan plan = Plan({Batch(101, {"a"})}, 100, /*token=*/12);
  EXPECT_FALSE(plan.diverged);
  EXPECT_EQ(Text(plan), "101: a");
}

TEST(PlanReplay, RefusesWhatIsNoBatchOfThisNumber) {
  v1::CommitBatchRequest other = Batch(101, {"a"});
  other.set_number_id("018f3c5e-0000-7000-8000-000000000002");
  v1::CommitBatchRequest empty = Batch(101, {});
  for (const wa::Bytes& record :
       {JournalRecordOf(other), JournalRecordOf(empty), wa::ToBytes("\xff\xff"), wa::Bytes()}) {
    EXPECT_EQ(PlanReplay(kNumber, {record}, 8, 100).status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(AmendsFor, DeletesEverySessionOnceAndTellsAPerson) {
  const NumberWrite write = AmendsFor({Batch(101, {"a", "b"}), Batch(103, {"a"})});
  ASSERT_EQ(write.changes.deletes.size(), 2u);
  EXPECT_EQ(write.changes.deletes[0], (wa::RecordName{.kind = wa::RecordKind::kSession, .key = "a"}));
  EXPECT_EQ(write.changes.deletes[1], (wa::RecordName{.kind = wa::RecordKind::kSession, .key = "b"}));
  ASSERT_EQ(write.operations.size(), 1u);
  EXPECT_TRUE(write.operations[0].set_number_state().needs_attention());
}

TEST(AmendsFor, WipesSessionsThatAreTooManyForOneBatch) {
  std::vector<v1::CommitBatchRequest> batches;
  for (int i = 0; i < 600; ++i) batches.push_back(Batch(101 + i, {"s" + std::to_string(i)}));
  const NumberWrite write = AmendsFor(batches);
  EXPECT_TRUE(write.changes.deletes.empty());
  EXPECT_EQ(write.changes.wipes, std::vector<wa::RecordKind>{wa::RecordKind::kSession});
}

}  // namespace
}  // namespace medidesk::gateway
