// CommitBatch: the order of its checks (invariant I6), all or nothing, once.
#include "store/device_batch.h"

#include <gmock/gmock.h>

#include <future>

#include "base/rpc/error_details.h"
#include "store/testing/device_batch_fixture.h"

namespace medidesk::store {
namespace {

using namespace std::chrono_literals;
using testing::DeviceBatchTest;

TEST_F(DeviceBatchTest, AppliesOperationsInOrderAndCountsThem) {
  v1::CommitBatchRequest batch = Record(lease_, "a", "1");
  Put(batch, v1::DEVICE_STATE_KIND_SESSION, "a", "2");
  Put(batch, v1::DEVICE_STATE_KIND_SESSION, "b:1", "3");
  Put(batch, v1::DEVICE_STATE_KIND_SESSION, "b:2", "4");
  Put(batch, v1::DEVICE_STATE_KIND_PRE_KEY, "7", "5");
  v1::DeleteDeviceStateOperation* remove = batch.add_operations()->mutable_delete_device_state();
  remove->set_kind(v1::DEVICE_STATE_KIND_SESSION);
  remove->set_key_prefix("b:");
  Put(batch, v1::DEVICE_STATE_KIND_SESSION, "b:3", "6");
  remove = batch.add_operations()->mutable_delete_device_state();
  remove->set_kind(v1::DEVICE_STATE_KIND_PRE_KEY);
  remove->set_all(true);
  const auto response = Commit(lease_, batch);
  EXPECT_EQ(response.results_size(), 8);
  EXPECT_EQ(response.revision(), 9) << "one was linking";
  EXPECT_TRUE(response.has_commit_time());
  EXPECT_EQ(database_.Value(
                "select string_agg(key || '=' || convert_from(sealed, 'UTF8') || '@' || revision, ' ' order by key) "
                "from medidesk.device_state"),
            "a=2@3 b:3=6@8");
}

TEST_F(DeviceBatchTest, RefusesAStaleTokenAndChangesNothing) {
  Gateway other{"b"};
  Beat(other);
  ASSERT_TRUE(Release(lease_));
  ASSERT_TRUE(Take(other, number_).ok());
  const auto refused = TryCommit(Record(lease_));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(rpc::Reason(refused.status()), "LEASE_LOST");
  v1::CommitBatchRequest accept = Batch(lease_);
  AddAccept(accept, "hello", "m1");
  EXPECT_EQ(rpc::Reason(TryCommit(accept).status()), "LEASE_LOST");
  EXPECT_EQ(Records(), 0);
  EXPECT_EQ(database_.Value<int>("select count(*) from messages"), 0);
  EXPECT_EQ(database_.Value<int>("select count(*) from contacts"), 0);
}

TEST_F(DeviceBatchTest, HoldsATakeoverUpUntilTheBatchInFlightHasEnded) {
  pqxx::connection connection(database_.url());
  pqxx::work batch(connection);  // as CommitBatch begins
  batch.exec("select medidesk.begin_batch('" + number_ + "', " + std::to_string(lease_.lease_token()) + ", '" +
             NewUuid() + "', 2, false)");
  auto taken = std::async(std::launch::async, [&] { return Take(gateway_, number_); });
  ASSERT_TRUE(SomebodyWaits());
  batch.exec("update medidesk.device_commits set revision = 2 where number_id = '" + number_ + "'");
  batch.commit();
  const auto lease = taken.get();
  ASSERT_TRUE(lease.ok()) << Text(lease.status());
  EXPECT_EQ(lease->revision(), 2) << "the new owner starts from what the old one wrote";
  EXPECT_EQ(rpc::Reason(TryCommit(Record(lease_)).status()), "LEASE_LOST");
}

TEST_F(DeviceBatchTest, LosesTheRaceAgainstATakeoverThatWasFirst) {
  pqxx::connection connection(database_.url());
  pqxx::work takeover(connection);
  takeover.exec("select medidesk.take_lease('" + gateway_.instance + "', 'a', '" + number_ + "', false)");
  auto committed = std::async(std::launch::async, [&] { return TryCommit(Record(lease_)); });
  ASSERT_TRUE(SomebodyWaits());
  takeover.commit();
  EXPECT_EQ(rpc::Reason(committed.get().status()), "LEASE_LOST");
  EXPECT_EQ(Records(), 0);
}

TEST_F(DeviceBatchTest, GivesTheFirstOutcomeForARepeatedCommitId) {
  v1::CommitBatchRequest batch = Record(lease_);
  AddAccept(batch, "hello", "m1");
  const auto first = TryCommit(batch), again = TryCommit(batch);
  ASSERT_TRUE(first.ok() && again.ok()) << Text(again.status());
  EXPECT_FALSE(first->repeated_commit());
  EXPECT_TRUE(again->repeated_commit());
  EXPECT_EQ(again->revision(), first->revision());
  EXPECT_EQ(again->commit_time().nanos(), first->commit_time().nanos());
  EXPECT_EQ(again->results(1).SerializeAsString(), first->results(1).SerializeAsString());
  EXPECT_FALSE(again->results(1).accept().duplicate());
  EXPECT_EQ(database_.Value<int>("select count(*) from messages"), 1);
}

TEST_F(DeviceBatchTest, LooksAtTheCommitIdBeforeTheToken) {
  const v1::CommitBatchRequest batch = Record(lease_);
  ASSERT_TRUE(TryCommit(batch).ok());
  v1::Lease lease = Take(gateway_, number_).value();
  const auto again = TryCommit(batch);
  ASSERT_TRUE(again.ok()) << "it did happen, whoever owns the number now: " << Text(again.status());
  EXPECT_TRUE(again->repeated_commit());
  Commit(lease, Record(lease, "other"));
  EXPECT_EQ(rpc::Reason(TryCommit(batch).status()), "LEASE_LOST") << "only the last outcome is kept";
}

TEST_F(DeviceBatchTest, AppliesABatchOnceThatIsSentTwiceAtOnce) {
  v1::CommitBatchRequest batch = Batch(lease_);
  AddAccept(batch, "hello", "m1");
  auto first = std::async(std::launch::async, [&] { return TryCommit(batch); });
  auto second = std::async(std::launch::async, [&] { return TryCommit(batch); });
  const auto a = first.get(), b = second.get();
  ASSERT_TRUE(a.ok() && b.ok()) << Text(a.status()) << Text(b.status());
  EXPECT_NE(a->repeated_commit(), b->repeated_commit());
  EXPECT_EQ(a->revision(), b->revision());
  EXPECT_EQ(database_.Value<int>("select count(*) from messages"), 1);
}

TEST_F(DeviceBatchTest, SurvivesALostConnectionWithTheSameCommitId) {
  pqxx::connection connection(database_.url());
  pqxx::work blocker(connection);
  blocker.exec("select 1 from numbers where id = '" + number_ + "' for update");
  v1::CommitBatchRequest batch = Batch(lease_);
  AddAccept(batch, "hello", "m1");
  auto committed = std::async(std::launch::async, [&] { return TryCommit(batch); });
  ASSERT_TRUE(SomebodyWaits());
  database_.Sql("select pg_terminate_backend(" + std::to_string(WaitingPid()) + ")");
  blocker.commit();
  auto outcome = committed.get();
  if (outcome.status().code() == absl::StatusCode::kUnavailable) outcome = TryCommit(batch);  // what an owner does
  ASSERT_TRUE(outcome.ok()) << Text(outcome.status());
  EXPECT_EQ(outcome->revision(), 2);
  EXPECT_EQ(database_.Value<int>("select count(*) from messages"), 1);
  EXPECT_EQ(database_.Value<int>("select revision from medidesk.device_commits"), 2);
}

TEST_F(DeviceBatchTest, RefusesABatchThatDoesNotFollowTheLast) {
  for (const int step : {-1, 1}) {
    v1::CommitBatchRequest batch = Record(lease_);
    batch.set_first_revision(batch.first_revision() + step);
    const auto refused = TryCommit(batch);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(rpc::Reason(refused.status()), "REVISION_MISMATCH");
  }
  EXPECT_EQ(Records(), 0);
  EXPECT_TRUE(TryCommit(Record(lease_)).ok());
}

TEST_F(DeviceBatchTest, AppliesAllOrNothing) {
  const std::string second = MakeNumber("second");
  v1::Lease lease = Take(gateway_, second).value();
  v1::CommitBatchRequest batch = Record(lease);
  v1::SetNumberStateOperation* state = batch.add_operations()->mutable_set_number_state();
  state->set_linked(true);
  state->set_phone("+15550109999");  // the first number's
  state->set_device_jid("15550109999:8@s.whatsapp.net");
  const auto refused = TryCommit(batch);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(rpc::Reason(refused.status()), "PHONE_IN_USE");
  EXPECT_EQ(Records(), 0);
  EXPECT_EQ(GetNumber(second).device_jid(), "");
  EXPECT_EQ(GetNumber(number_).phone(), "+15550109999");
}

TEST_F(DeviceBatchTest, RefusesMalformedOperationsAsAWhole) {
  const auto refuses = [&](const std::function<void(v1::CommitBatchRequest&)>& change) {
    v1::CommitBatchRequest batch = Record(lease_);
    change(batch);
    EXPECT_EQ(TryCommit(batch).status().code(), absl::StatusCode::kInvalidArgument);
  };
  refuses([](auto& batch) { batch.add_operations(); });
  refuses([](auto& batch) { Put(batch, v1::DEVICE_STATE_KIND_UNSPECIFIED, "k", "x"); });
  refuses([](auto& batch) { Put(batch, static_cast<v1::DeviceStateKind>(99), "k", "x"); });
  refuses([](auto& batch) { Put(batch, v1::DEVICE_STATE_KIND_SESSION, std::string("a\0b", 3), "x"); });
  refuses([](auto& batch) { Put(batch, v1::DEVICE_STATE_KIND_SESSION, std::string(201, 'k'), "x"); });
  refuses([](auto& batch) { Put(batch, v1::DEVICE_STATE_KIND_SESSION, "k", std::string((512u << 10) + 1, 'x')); });
  refuses([](auto& batch) {
    batch.add_operations()->mutable_delete_device_state()->set_kind(v1::DEVICE_STATE_KIND_SESSION);
  });
  refuses([](auto& batch) { AddAccept(batch, "hello", "m1", "15550100001"); });
  refuses([](auto& batch) { AddAccept(batch, "hello", "m1")->clear_message_time(); });
  refuses([](auto& batch) { AddAccept(batch, "hello", "m1")->mutable_contact()->set_lid("12 or 1=1"); });
  refuses([](auto& batch) { AddAccept(batch, "hello", "")->set_kind(v1::INBOUND_KIND_UNSPECIFIED); });
  refuses([](auto& batch) { batch.mutable_operations()->Clear(); });
  refuses([](auto& batch) { batch.set_lease_token(0); });
  refuses([](auto& batch) {
    v1::CommitOutboundOperation* send = batch.add_operations()->mutable_commit_outbound();
    send->set_reply_id(NewUuid());
    send->set_part_count(1);
    send->set_stanza_id("3EB0000000000000000000");
  });
  EXPECT_EQ(Records(), 0);
}

}  // namespace
}  // namespace medidesk::store
