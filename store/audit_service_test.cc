// AuditService over a real PostgreSQL: who read what, the list, the chain, and the events.
#include "store/service/audit_service.h"

#include <gmock/gmock.h>

#include "store/testing/store_fixture.h"

namespace medidesk::store {
namespace {

using testing::CollectedStream;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AuditServiceTest : public testing::StoreFixture {
 protected:
  AuditServiceTest() : service_(dispatcher_, pool_, {.verify_rows = 2, .event_poll = std::chrono::milliseconds(20)}) {}

  absl::StatusOr<v1::AppendReadEventResponse> Append(const v1::AppendReadEventRequest& request) {
    return Wait(service_.AppendReadEvent(call_, request));
  }
  v1::AppendReadEventRequest ReadOf(const std::string& conversation_id) {
    v1::AppendReadEventRequest request;
    request.set_commit_id(NewUuid());
    *request.mutable_actor() = Staff(kStaff);
    request.set_resource(v1::RESOURCE_KIND_CONVERSATION);
    request.add_resource_ids(conversation_id);
    request.set_purpose("inbox");
    return request;
  }
  v1::ListAuditRecordsResponse List(v1::ListAuditRecordsRequest request) {
    *request.mutable_actor() = Service();
    auto response = Wait(service_.ListAuditRecords(call_, request));
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::ListAuditRecordsResponse());
  }
  v1::VerifyAuditResponse Verify(const v1::VerifyAuditRequest& request = {}) {
    CollectedStream<v1::VerifyAuditResponse> stream;
    const absl::Status status = Wait(service_.VerifyAudit(call_, request, stream));
    EXPECT_TRUE(status.ok()) << Text(status);
    return stream.messages.empty() ? v1::VerifyAuditResponse() : stream.messages.back();
  }
  // As somebody with the database's password would.
  void Tamper(const std::string& sql) {
    database_.Sql("alter table audit_log disable trigger user; " + sql + "; alter table audit_log enable trigger user");
  }

  static constexpr char kStaff[] = "0190a000-0000-7000-8000-000000000001";
  AuditService service_;
};

TEST_F(AuditServiceTest, RecordsAReadOnceWithWhoAndWhat) {
  const v1::Turn turn = Accept("hello");
  const auto request = ReadOf(turn.conversation_id());
  const auto first = Append(request), again = Append(request);
  ASSERT_TRUE(first.ok() && again.ok()) << Text(first.status());
  ASSERT_THAT(first->record_ids(), SizeIs(1));
  EXPECT_EQ(first->record_ids(0), again->record_ids(0));
  v1::ListAuditRecordsRequest list;
  list.set_action(v1::AUDIT_ACTION_READ);
  const auto records = List(list).records();
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].id(), first->record_ids(0));
  EXPECT_EQ(records[0].actor().kind(), v1::ACTOR_KIND_STAFF);
  EXPECT_EQ(records[0].actor().id(), kStaff);
  EXPECT_EQ(records[0].actor().address(), "192.0.2.7");
  EXPECT_EQ(records[0].resource(), v1::RESOURCE_KIND_CONVERSATION);
  EXPECT_EQ(records[0].resource_id(), turn.conversation_id());
  EXPECT_EQ(records[0].contact_id(), turn.contact_id());
  EXPECT_EQ(records[0].purpose(), "inbox");
  EXPECT_EQ(records[0].outcome(), v1::AUDIT_OUTCOME_SUCCESS);
}

TEST_F(AuditServiceTest, RefusesReadsOfServicesAndUnknownKinds) {
  auto request = ReadOf(NewUuid());
  *request.mutable_actor() = Service();
  EXPECT_EQ(rpc::InvalidFieldName(Append(request).status()), "actor.kind");
  request = ReadOf(NewUuid());
  request.set_resource(static_cast<v1::ResourceKind>(99));
  EXPECT_EQ(rpc::InvalidFieldName(Append(request).status()), "resource");
  request = ReadOf("a|b");
  EXPECT_EQ(rpc::InvalidFieldName(Append(request).status()), "resource_ids");
}

TEST_F(AuditServiceTest, ListsTheNewestFirstByFilterAndPage) {
  const v1::Turn turn = Accept("one");
  Answer(turn, "two");
  const v1::Turn other = Accept("three", "+15550100002");
  ASSERT_TRUE(Append(ReadOf(turn.conversation_id())).ok());

  v1::ListAuditRecordsRequest list;
  list.set_contact_id(turn.contact_id());
  const auto records = List(list).records();
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_EQ(records[0].action(), v1::AUDIT_ACTION_READ);
  EXPECT_EQ(records[1].resource(), v1::RESOURCE_KIND_REPLY);
  EXPECT_EQ(records[2].resource(), v1::RESOURCE_KIND_MESSAGE);
  EXPECT_EQ(records[2].action(), v1::AUDIT_ACTION_CREATE);
  EXPECT_THAT(records[2].content_hmac(), SizeIs(32));

  list = {};
  list.set_actor_id(kStaff);
  EXPECT_THAT(List(list).records(), SizeIs(1));
  list = {};
  list.set_resource_id(other.id());
  EXPECT_THAT(List(list).records(), SizeIs(1));
  list = {};
  list.set_resource_id(turn.conversation_id());
  EXPECT_THAT(List(list).records(), SizeIs(1));
  list = {};
  list.mutable_time_range()->mutable_end_time()->set_seconds(1);
  EXPECT_THAT(List(list).records(), IsEmpty());

  list = {};
  list.set_page_size(3);
  auto page = List(list);
  ASSERT_THAT(page.records(), SizeIs(3));
  list.set_page_token(page.next_page_token());
  const auto rest = List(list);
  EXPECT_THAT(rest.records(), SizeIs(1));
  EXPECT_EQ(rest.next_page_token(), "");
  list.set_action(v1::AUDIT_ACTION_READ);  // another list's token
  *list.mutable_actor() = Operator();
  const auto refused = Wait(service_.ListAuditRecords(call_, list));
  EXPECT_EQ(rpc::InvalidFieldName(refused.status()), "page_token");
}

TEST_F(AuditServiceTest, RecordsThatAPersonLooksIntoTheLog) {
  v1::ListAuditRecordsRequest list;
  *list.mutable_actor() = Staff(kStaff);
  ASSERT_TRUE(Wait(service_.ListAuditRecords(call_, list)).ok());
  const auto records = List({}).records();
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].resource(), v1::RESOURCE_KIND_REPORT);
}

TEST_F(AuditServiceTest, CountsPositionsWithoutGapsOverSeals) {
  Accept("one");
  Accept("two", "+15550100002");
  Seal();
  Accept("three", "+15550100003");
  Accept("four", "+15550100004");
  Seal();
  Accept("five", "+15550100005");
  std::vector<std::int64_t> positions;
  const auto response = List({});
  for (const auto& record : response.records()) positions.push_back(record.sequence());
  EXPECT_THAT(positions, ElementsAre(0, 4, 3, 2, 1));
  EXPECT_THAT(response.records(0).chain_hash(), IsEmpty());
  EXPECT_THAT(response.records(1).chain_hash(), SizeIs(32));
  EXPECT_EQ(response.records(1).chain_hash(), response.records(2).chain_hash());
  EXPECT_NE(response.records(2).chain_hash(), response.records(3).chain_hash());
}

TEST_F(AuditServiceTest, VerifiesTheChainAndTellsTheUnsealedTail) {
  EXPECT_TRUE(Verify().valid()) << "an empty log holds";
  for (int i = 0; i < 5; ++i) Accept("hello", "+1555010000" + std::to_string(i));
  ASSERT_TRUE(Append(ReadOf(NewUuid())).ok());
  Seal();
  Accept("late", "+15550100009");
  CollectedStream<v1::VerifyAuditResponse> stream;
  ASSERT_TRUE(Wait(service_.VerifyAudit(call_, {}, stream)).ok());
  const auto& last = stream.messages.back();
  EXPECT_TRUE(last.done());
  EXPECT_TRUE(last.valid());
  EXPECT_EQ(last.checked_count(), 6);
  EXPECT_EQ(last.last_sequence(), 6);
  EXPECT_EQ(last.unsealed_count(), 1);
  EXPECT_THAT(last.last_chain_hash(), SizeIs(32));
  for (const auto& message : stream.messages) EXPECT_EQ(message.done(), &message == &stream.messages.back());
}

TEST_F(AuditServiceTest, FindsTheFirstSealThatDoesNotFit) {
  for (const char* phone : {"+15550100001", "+15550100002", "+15550100003"}) {
    Accept("hello", phone);
    Accept("again", phone);
    Seal();
  }
  const std::int64_t seals = database_.Value<std::int64_t>("select count(*) from medidesk.audit_seals");
  ASSERT_EQ(seals, 3);
  const auto is_broken_at_three = [&](const char* what) {
    const auto verdict = Verify();
    EXPECT_FALSE(verdict.valid()) << what;
    EXPECT_EQ(verdict.first_bad_sequence(), 3) << what;
    EXPECT_EQ(verdict.bad_count(), 2) << what;
    EXPECT_GT(verdict.bad_seal_time().seconds(), 0) << what;
    EXPECT_EQ(verdict.checked_count(), 2) << what;
  };
  const std::string third = "(select id from audit_log order by id offset 2 limit 1)";
  Tamper("update audit_log set actor = 'nobody' where id = " + third);
  is_broken_at_three("a changed column");
  Tamper("update audit_log set actor = 'patient' where id = " + third);
  ASSERT_TRUE(Verify().valid());
  Tamper("update audit_log set outcome = 'denied' where id = " + third);
  is_broken_at_three("a column that older rows did not have");
  Tamper("update audit_log set outcome = null where id = " + third);
  ASSERT_TRUE(Verify().valid());
  Tamper("delete from audit_log where id = " + third);
  is_broken_at_three("a row that is gone");
}

TEST_F(AuditServiceTest, FindsASealThatIsGone) {
  for (const char* phone : {"+15550100001", "+15550100002", "+15550100003"}) {
    Accept("hello", phone);
    Seal();
  }
  database_.Sql(
      "alter table medidesk.audit_seals disable trigger user; delete from medidesk.audit_seals where seq = 2; "
      "alter table medidesk.audit_seals enable trigger user");
  EXPECT_EQ(Verify().first_bad_sequence(), 2);
}

TEST_F(AuditServiceTest, VerifiesFromAHashThatWasKeptOutside) {
  Accept("one");
  Accept("two");
  Seal();
  const auto kept = Verify();
  Accept("three");
  Seal();
  v1::VerifyAuditRequest request;
  request.set_start_sequence(kept.last_sequence() + 1);
  request.set_expected_previous_hash(kept.last_chain_hash());
  const auto verdict = Verify(request);
  EXPECT_TRUE(verdict.valid());
  EXPECT_EQ(verdict.checked_count(), 1);
  request.set_expected_previous_hash(std::string(32, 'x'));
  EXPECT_EQ(Verify(request).first_bad_sequence(), kept.last_sequence() + 1) << "the past was written anew";
  request.set_start_sequence(2);
  CollectedStream<v1::VerifyAuditResponse> stream;
  EXPECT_EQ(rpc::InvalidFieldName(Wait(service_.VerifyAudit(call_, request, stream))), "start_sequence");
}

TEST_F(AuditServiceTest, StreamsEventsFromAPositionOn) {
  const v1::Turn turn = Accept("one");
  CollectedStream<v1::WatchEventsResponse> stream;
  stream.keep_on = [](const auto& message) { return message.event().resource() != v1::RESOURCE_KIND_REPLY; };
  v1::WatchEventsRequest request;
  request.set_after_position("0.0");
  Answer(turn, "two");
  ASSERT_TRUE(Append(ReadOf(turn.conversation_id())).ok()) << "reads are no events";
  ASSERT_TRUE(Wait(service_.WatchEvents(call_, request, stream)).ok());
  ASSERT_THAT(stream.messages, SizeIs(2));
  const v1::Event& accepted = stream.messages[0].event();
  EXPECT_EQ(accepted.resource(), v1::RESOURCE_KIND_MESSAGE);
  EXPECT_EQ(accepted.resource_id(), turn.id());
  EXPECT_EQ(accepted.conversation_id(), turn.conversation_id());
  EXPECT_EQ(accepted.action(), v1::AUDIT_ACTION_CREATE);
  EXPECT_FALSE(accepted.number_id().empty());

  request.set_after_position(stream.messages[0].position());
  stream.messages.clear();
  ASSERT_TRUE(Wait(service_.WatchEvents(call_, request, stream)).ok());
  EXPECT_THAT(stream.messages, SizeIs(1));
  request.set_after_position("7");
  EXPECT_EQ(rpc::InvalidFieldName(Wait(service_.WatchEvents(call_, request, stream))), "after_position");
}

TEST_F(AuditServiceTest, RefusesAPositionThatIsTooOld) {
  Accept("one");
  Tamper("update audit_log set at = now() - interval '8 days'");
  CollectedStream<v1::WatchEventsResponse> stream;
  v1::WatchEventsRequest request;
  request.set_after_position(database_.Value("select xid || '.' || id from audit_log"));
  EXPECT_EQ(Wait(service_.WatchEvents(call_, request, stream)).code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace medidesk::store
