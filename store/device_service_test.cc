// Leases, numbers and sealed records: design section 2, "Leases", and invariant I6.
#include <gmock/gmock.h>

#include <future>

#include "base/rpc/error_details.h"
#include "store/testing/device_test.h"

namespace medidesk::store {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class DeviceServiceTest : public testing::DeviceTest {
 protected:
  // As if the gateway had been silent for longer than it may.
  void Expire(const Gateway& gateway) {
    database_.Sql(
        "update medidesk.gateways set live_until = clock_timestamp() - interval '1 second' where instance_id = '" +
        gateway.instance + "'");
  }
  // What others wait for after its last heartbeat.
  double SecondsToLive(const Gateway& gateway) {
    return database_.Value<double>(
        "select extract(epoch from live_until - heartbeat_at) from medidesk.gateways where instance_id = '" +
        gateway.instance + "'");
  }
};

TEST_F(DeviceServiceTest, TakesANumberAndRaisesItsToken) {
  Gateway gateway{"a"};
  Beat(gateway);
  const std::string number = MakeNumber("front-desk");
  const auto first = Take(gateway, number), again = Take(gateway, number);
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->lease_token(), 1);
  EXPECT_EQ(again->lease_token(), 2);
  EXPECT_EQ(again->revision(), 0);
  EXPECT_EQ(again->ttl().seconds(), 60);
  EXPECT_EQ(again->number().gateway_id(), "a");
  EXPECT_EQ(again->number().owner_address(), "10.0.0.1:7001");
  EXPECT_TRUE(again->number().owner_alive());
  EXPECT_EQ(again->number().state(), v1::NUMBER_STATE_NEEDS_LINK);
}

TEST_F(DeviceServiceTest, GivesNothingToAGatewayWithoutAHeartbeat) {
  const Gateway silent{"a"};
  const auto lease = Take(silent, MakeNumber("front-desk"));
  EXPECT_EQ(lease.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(rpc::Reason(lease.status()), "NO_HEARTBEAT");
}

TEST_F(DeviceServiceTest, KnowsNoSuchNumber) {
  Gateway gateway{"a"};
  Beat(gateway);
  EXPECT_EQ(Take(gateway, NewUuid()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(DeviceServiceTest, RefusesANumberWhoseOwnerLives) {
  Gateway owner{"a"}, other{"b"};
  Beat(owner);
  Beat(other);
  const std::string number = MakeNumber("front-desk");
  ASSERT_TRUE(Take(owner, number).ok());
  const auto refused = Take(other, number);
  EXPECT_EQ(rpc::Reason(refused.status()), "LEASE_HELD");
  EXPECT_EQ(rpc::ReasonMetadata(refused.status())["owner_address"], "10.0.0.1:7001");
  EXPECT_EQ(GetNumber(number).gateway_id(), "a");
}

TEST_F(DeviceServiceTest, GivesTheNumberOfADeadOwnerAway) {
  Gateway owner{"a"}, other{"b"};
  Beat(owner);
  Beat(other);
  const std::string number = MakeNumber("front-desk");
  ASSERT_TRUE(Take(owner, number).ok());
  Expire(owner);
  EXPECT_FALSE(GetNumber(number).owner_alive());
  const auto lease = Take(other, number);
  ASSERT_TRUE(lease.ok()) << Text(lease.status());
  EXPECT_EQ(lease->lease_token(), 2);
  EXPECT_EQ(Beat(owner).leases_size(), 0) << "the old owner learns it from its next heartbeat";
}

TEST_F(DeviceServiceTest, LetsARestartBackAtOnceUnderTheLockFile) {
  Gateway before{"a"}, after{"a"};
  Beat(before);
  Beat(after);
  const std::string number = MakeNumber("front-desk");
  ASSERT_TRUE(Take(before, number).ok());
  EXPECT_EQ(rpc::Reason(Take(after, number, /*lock_held=*/false).status()), "LEASE_HELD") << "it may be a twin";
  const auto lease = Take(after, number, /*lock_held=*/true);
  ASSERT_TRUE(lease.ok()) << Text(lease.status());
  EXPECT_EQ(lease->lease_token(), 2);
}

TEST_F(DeviceServiceTest, TellsAGatewayWhetherItIsAlone) {
  Gateway one{"a"}, two{"b"};
  EXPECT_TRUE(Beat(one).alone());
  EXPECT_FALSE(Beat(two).alone());
  EXPECT_FALSE(Beat(one).alone());
  Expire(two);
  EXPECT_TRUE(Beat(one).alone());
}

TEST_F(DeviceServiceTest, KeepsTheLongTimeOutUntilTheOwnerKnowsBetter) {
  Gateway one{"a"}, two{"b"};
  Beat(one);
  EXPECT_DOUBLE_EQ(SecondsToLive(one), 600) << "told alone";
  Beat(two);
  EXPECT_DOUBLE_EQ(SecondsToLive(two), 60);
  const std::string promised =
      database_.Value("select alone_until from medidesk.gateways where instance_id = '" + one.instance + "'");
  Gateway deaf = one;  // the answer to this heartbeat does not arrive
  Beat(deaf);
  EXPECT_GT(SecondsToLive(one), 500) << "it may be keeping its socket by what it was told before";
  EXPECT_EQ(database_.Value("select live_until from medidesk.gateways where instance_id = '" + one.instance + "'"),
            promised);
  one.sequence = deaf.sequence;
  Beat(one);
  EXPECT_GT(SecondsToLive(one), 500) << "now it hears it, but the store does not know that yet";
  Beat(one);
  EXPECT_DOUBLE_EQ(SecondsToLive(one), 60);
}

TEST_F(DeviceServiceTest, IgnoresAHeartbeatThatWasOvertaken) {
  Gateway gateway{"a"};
  Beat(gateway);
  Beat(gateway);
  EXPECT_DOUBLE_EQ(SecondsToLive(gateway), 600);
  Gateway late = gateway;
  late.sequence = 0;
  late.alone_known = false;
  EXPECT_FALSE(Beat(late).alone());
  EXPECT_DOUBLE_EQ(SecondsToLive(gateway), 600);
}

TEST_F(DeviceServiceTest, NamesTheLeasesInTheHeartbeatsAnswer) {
  Gateway gateway{"a"};
  Beat(gateway);
  const std::string number = MakeNumber("front-desk");
  ASSERT_TRUE(Take(gateway, number).ok());
  auto answer = Beat(gateway);
  ASSERT_EQ(answer.leases_size(), 1);
  EXPECT_EQ(answer.leases(0).number_id(), number);
  EXPECT_EQ(answer.leases(0).lease_token(), 1);
  EXPECT_FALSE(answer.leases(0).release_wanted());
  v1::UpsertNumberRequest off;
  off.set_commit_id(NewUuid());
  off.mutable_number()->set_id(number);
  off.mutable_update_mask()->add_paths("enabled");
  off.mutable_actor()->set_kind(v1::ACTOR_KIND_OPERATOR);
  ASSERT_TRUE(Upsert(off).ok());
  EXPECT_TRUE(Beat(gateway).leases(0).release_wanted());
}

TEST_F(DeviceServiceTest, ReleasesUnderTheCurrentTokenOnly) {
  Gateway owner{"a"}, other{"b"};
  Beat(owner);
  Beat(other);
  const std::string number = MakeNumber("front-desk");
  const v1::Lease old = Take(owner, number).value(), lease = Take(owner, number).value();
  EXPECT_FALSE(Release(old));
  EXPECT_EQ(rpc::Reason(Take(other, number).status()), "LEASE_HELD");
  EXPECT_TRUE(Release(lease));
  EXPECT_FALSE(Release(lease));
  v1::CommitBatchRequest batch = Batch(lease);
  Put(batch, v1::DEVICE_STATE_KIND_SESSION, "k", "x");
  EXPECT_EQ(rpc::Reason(TryCommit(batch).status()), "LEASE_LOST") << "what was given up may not be written";
  EXPECT_TRUE(Take(other, number).ok());
}

TEST_F(DeviceServiceTest, AcquiresLinkedNumbersThatNobodyHoldsTheLongestWaitingFirst) {
  Gateway gateway{"a"}, other{"b"};
  Beat(gateway);
  Beat(other);
  const std::string first = MakeNumber("one"), second = MakeNumber("two"), unlinked = MakeNumber("three"),
                    held = MakeNumber("four");
  v1::Lease lease = Link(other, first, "+15550100001");
  EXPECT_TRUE(Release(lease));
  lease = Link(other, second, "+15550100002");
  EXPECT_TRUE(Release(lease));
  Link(other, held, "+15550100004");
  const auto one = Acquire(gateway, 1);
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].number().id(), first);
  EXPECT_EQ(one[0].revision(), 1);
  const auto rest = Acquire(gateway);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].number().id(), second);
  EXPECT_TRUE(Acquire(gateway).empty());
  Expire(other);
  EXPECT_EQ(Acquire(gateway).size(), 1u);
}

TEST_F(DeviceServiceTest, GivesANumberToOneOfTwoThatAskAtOnce) {
  Gateway one{"a"}, two{"b"};
  Beat(one);
  Beat(two);
  for (int round = 0; round < 20; ++round) {
    const std::string number = MakeNumber("n" + std::to_string(round));
    auto first = std::async(std::launch::async, [&] { return Take(one, number); });
    auto second = std::async(std::launch::async, [&] { return Take(two, number); });
    const auto a = first.get(), b = second.get();
    EXPECT_NE(a.ok(), b.ok());
    EXPECT_EQ(rpc::Reason(a.ok() ? b.status() : a.status()), "LEASE_HELD");
  }
}

TEST_F(DeviceServiceTest, MakesAndChangesNumbers) {
  v1::UpsertNumberRequest make;
  make.set_commit_id(NewUuid());
  make.mutable_number()->set_name("front-desk");
  make.mutable_actor()->set_kind(v1::ACTOR_KIND_OPERATOR);
  const auto made = Upsert(make), repeated = Upsert(make);
  ASSERT_TRUE(made.ok()) << Text(made.status());
  EXPECT_EQ(repeated->id(), made->id());
  EXPECT_TRUE(made->enabled() && made->bot_enabled() && made->phone_auto_replies());
  EXPECT_EQ(database_.Value<int>("select count(*) from numbers"), 1);

  v1::UpsertNumberRequest twin = make;
  twin.set_commit_id(NewUuid());
  EXPECT_EQ(Upsert(twin).status().code(), absl::StatusCode::kAlreadyExists);

  v1::UpsertNumberRequest change = make;
  change.set_commit_id(NewUuid());
  *change.mutable_number() = *made;
  change.mutable_number()->set_bot_enabled(false);
  change.mutable_update_mask()->add_paths("bot_enabled");
  const auto changed = Upsert(change);
  ASSERT_TRUE(changed.ok()) << Text(changed.status());
  EXPECT_FALSE(changed->bot_enabled());
  EXPECT_TRUE(changed->enabled());
  EXPECT_NE(changed->etag(), made->etag());
  EXPECT_EQ(Upsert(change)->etag(), changed->etag()) << "the same commit changes nothing again";
  change.set_commit_id(NewUuid());
  EXPECT_EQ(Upsert(change).status().code(), absl::StatusCode::kAborted) << "a stale etag";
  change.mutable_number()->set_id(NewUuid());
  EXPECT_EQ(Upsert(change).status().code(), absl::StatusCode::kNotFound);
  change.mutable_update_mask()->add_paths("state");
  EXPECT_EQ(Upsert(change).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(database_.Value<int>("select count(*) from audit_log where action like 'number_%'"), 2);
}

TEST_F(DeviceServiceTest, RefusesAPhoneForALinkedNumber) {
  Gateway gateway{"a"};
  Beat(gateway);
  const std::string number = MakeNumber("front-desk");
  Link(gateway, number);
  v1::UpsertNumberRequest change;
  change.set_commit_id(NewUuid());
  change.mutable_number()->set_id(number);
  change.mutable_number()->set_phone("+15550100001");
  change.mutable_update_mask()->add_paths("phone");
  change.mutable_actor()->set_kind(v1::ACTOR_KIND_OPERATOR);
  EXPECT_EQ(rpc::Reason(Upsert(change).status()), "NUMBER_LINKED");
}

TEST_F(DeviceServiceTest, ListsNumbersInPages) {
  for (const char* name : {"c", "a", "b"}) MakeNumber(name);
  v1::ListNumbersRequest request;
  request.set_page_size(2);
  const rpc::Call call = NewCall();
  const auto first = Wait(service_.ListNumbers(call, request)).value();
  ASSERT_EQ(first.numbers_size(), 2);
  EXPECT_EQ(first.numbers(0).name(), "a");
  request.set_page_token(first.next_page_token());
  const auto last = Wait(service_.ListNumbers(call, request)).value();
  ASSERT_EQ(last.numbers_size(), 1);
  EXPECT_EQ(last.numbers(0).name(), "c");
  EXPECT_EQ(last.next_page_token(), "");
}

TEST_F(DeviceServiceTest, ReadsRecordsByNameAndInPages) {
  Gateway gateway{"a"};
  Beat(gateway);
  const std::string number = MakeNumber("front-desk");
  v1::Lease lease = Take(gateway, number).value();
  v1::CommitBatchRequest batch = Batch(lease);
  const std::string bytes("\0\xff\\x\n", 5);
  for (int k = 0; k < 5; ++k)
    Put(batch, v1::DEVICE_STATE_KIND_SESSION, "s" + std::to_string(k), bytes + std::to_string(k));
  Put(batch, v1::DEVICE_STATE_KIND_CREDENTIALS, "self", "c");
  Commit(lease, batch);

  v1::LoadDeviceStateRequest named;
  named.set_number_id(number);
  named.set_lease_token(lease.lease_token());
  for (const char* key : {"s3", "absent", "s1"}) {
    v1::DeviceRecordName* name = named.add_names();
    name->set_kind(v1::DEVICE_STATE_KIND_SESSION);
    name->set_key(key);
  }
  const auto some = TryLoad(named);
  ASSERT_TRUE(some.ok()) << Text(some.status());
  ASSERT_EQ(some->records_size(), 2);
  EXPECT_EQ(some->records(0).sealed(), bytes + "3");
  EXPECT_EQ(some->records(0).revision(), 4);
  EXPECT_EQ(some->records(1).key(), "s1");
  EXPECT_EQ(some->revision(), 6);

  v1::LoadDeviceStateRequest page;
  page.set_number_id(number);
  page.set_lease_token(lease.lease_token());
  page.set_kind(v1::DEVICE_STATE_KIND_SESSION);
  page.set_page_size(2);
  std::vector<std::string> keys;
  for (int pages = 0; pages < 10; ++pages) {
    const auto records = TryLoad(page);
    ASSERT_TRUE(records.ok()) << Text(records.status());
    for (const auto& record : records->records()) keys.push_back(record.key());
    if (records->next_page_token().empty()) break;
    page.set_page_token(records->next_page_token());
  }
  EXPECT_THAT(keys, ElementsAre("s0", "s1", "s2", "s3", "s4"));

  page.set_lease_token(lease.lease_token() + 1);
  EXPECT_EQ(rpc::Reason(TryLoad(page).status()), "LEASE_LOST");
  page.set_number_id(NewUuid());
  EXPECT_EQ(TryLoad(page).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(DeviceServiceTest, EndsAPageAtItsSize) {
  Gateway gateway{"a"};
  Beat(gateway);
  const std::string number = MakeNumber("front-desk");
  v1::Lease lease = Take(gateway, number).value();
  const std::string large(500'000, 'x');
  for (int k = 0; k < 2; ++k) {
    v1::CommitBatchRequest batch = Batch(lease);
    for (int n = 0; n < 5; ++n) Put(batch, v1::DEVICE_STATE_KIND_SESSION, std::to_string(k * 5 + n), large);
    Commit(lease, batch);
  }
  v1::LoadDeviceStateRequest page;
  page.set_number_id(number);
  page.set_lease_token(lease.lease_token());
  page.set_kind(v1::DEVICE_STATE_KIND_SESSION);
  std::size_t records = 0;
  do {
    const auto loaded = TryLoad(page);
    ASSERT_TRUE(loaded.ok()) << Text(loaded.status());
    EXPECT_LE(loaded->ByteSizeLong(), (3u << 20) + 1000);
    records += static_cast<std::size_t>(loaded->records_size());
    page.set_page_token(loaded->next_page_token());
  } while (!page.page_token().empty());
  EXPECT_EQ(records, 10u);
  page.clear_kind();
  for (int k = 0; k < 10; ++k) {
    v1::DeviceRecordName* name = page.add_names();
    name->set_kind(v1::DEVICE_STATE_KIND_SESSION);
    name->set_key(std::to_string(k));
  }
  EXPECT_EQ(TryLoad(page).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(DeviceServiceTest, GivesABackupOnlyWhatARestoreMayKeep) {
  Gateway gateway{"a"};
  Beat(gateway);
  const std::string number = MakeNumber("front-desk");
  v1::Lease lease = Take(gateway, number).value();
  v1::CommitBatchRequest batch = Batch(lease);
  Put(batch, v1::DEVICE_STATE_KIND_CREDENTIALS, "self", "c");
  Commit(lease, batch);
  v1::LoadDeviceStateRequest load;
  load.set_number_id(number);
  load.set_kind(v1::DEVICE_STATE_KIND_CREDENTIALS);
  EXPECT_EQ(TryLoad(load)->records_size(), 1);
  load.set_kind(v1::DEVICE_STATE_KIND_SESSION);
  EXPECT_EQ(TryLoad(load).status().code(), absl::StatusCode::kInvalidArgument);
}

// Takes what a stream sends; the handler runs until the test's end.
class Stream final : public rpc::StreamWriter<v1::WatchNumbersResponse> {
 public:
  asio::awaitable<bool> Write(v1::WatchNumbersResponse message) override {
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
    co_return !closed_;
  }
  template <class Condition>
  bool WaitFor(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < end) {
      {
        const std::lock_guard lock(mutex_);
        if (condition(messages_)) return true;
      }
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }
  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }

 private:
  std::mutex mutex_;
  bool closed_ = false;
  std::vector<v1::WatchNumbersResponse> messages_;
};

TEST_F(DeviceServiceTest, StreamsTheNumbersAndThenTheirChanges) {
  const std::string number = MakeNumber("front-desk");
  Stream stream;
  const v1::WatchNumbersRequest request;
  const rpc::Call call = NewCall();
  auto ended = std::async(std::launch::async, [&] { return Wait(service_.WatchNumbers(call, request, stream)); });
  using Messages = std::vector<v1::WatchNumbersResponse>;
  EXPECT_TRUE(stream.WaitFor(
      [&](const Messages& m) { return m.size() == 2 && m[0].number().id() == number && m[1].snapshot_done(); }));
  Gateway gateway{"a"};
  Beat(gateway);
  Link(gateway, number);
  EXPECT_TRUE(stream.WaitFor([](const Messages& m) {
    return m.back().number().state() == v1::NUMBER_STATE_CONNECTED && m.back().number().owner_alive();
  }));
  stream.Close();
  MakeNumber("second");
  EXPECT_TRUE(ended.get().ok());
}

}  // namespace
}  // namespace medidesk::store
