// CommitBatch: the order of its checks (invariant I6), and what each operation does.
#include "store/device_batch.h"

#include <gmock/gmock.h>

#include <future>

#include "base/rpc/error_details.h"
#include "store/testing/device_test.h"

namespace medidesk::store {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class DeviceBatchTest : public testing::DeviceTest {
 protected:
  DeviceBatchTest() {
    Beat(gateway_);
    number_ = MakeNumber("front-desk");
    lease_ = Link(gateway_, number_);
  }

  // Of the batches below: one record, by its key.
  v1::CommitBatchRequest Record(const v1::Lease& lease, const std::string& key = "k", const std::string& sealed = "x") {
    v1::CommitBatchRequest batch = Batch(lease);
    Put(batch, v1::DEVICE_STATE_KIND_SESSION, key, sealed);
    return batch;
  }
  int Records() { return database_.Value<int>("select count(*) from medidesk.device_state"); }

  static v1::AcceptOperation* AddAccept(v1::CommitBatchRequest& batch, const std::string& text, const std::string& id,
                                        const std::string& phone = "+15550100001") {
    v1::AcceptOperation* accept = batch.add_operations()->mutable_accept();
    accept->set_message_id(NewUuid());
    accept->mutable_contact()->set_phone(phone);
    accept->set_whatsapp_message_id(id);
    accept->set_kind(v1::INBOUND_KIND_TEXT);
    accept->set_text(text);
    accept->mutable_message_time()->set_seconds(time(nullptr));
    accept->mutable_verdict()->set_severity("none");
    accept->mutable_verdict()->set_table_version("1");
    return accept;
  }
  v1::AcceptResult Accept(const std::string& text, const std::string& id,
                          const std::function<void(v1::AcceptOperation*)>& change = {}) {
    v1::CommitBatchRequest batch = Batch(lease_);
    v1::AcceptOperation* accept = AddAccept(batch, text, id);
    if (change) change(accept);
    const auto response = Commit(lease_, batch);
    return response.results_size() == 1 ? response.results(0).accept() : v1::AcceptResult();
  }
  std::string Reply(const std::string& turn_id, const std::string& text = "hello") {
    v1::CommitReplyRequest request;
    request.set_turn_id(turn_id);
    request.set_commit_id(NewUuid());
    request.set_origin(v1::REPLY_ORIGIN_BOT);
    request.set_text(text);
    request.set_source("test");
    const auto response = Wait(conversations_.CommitReply(request, "", Soon()));
    EXPECT_TRUE(response.ok() && response->has_value()) << Text(response.status());
    return (*response)->reply().id();
  }
  void SetTakeover(const std::string& conversation_id, bool on) {
    ASSERT_TRUE(Wait(conversations_.SetTakeover(conversation_id, on, "", "staff", "", Soon())).ok());
  }
  v1::CommitOutboundResult Send(const std::string& reply_id, int part = 0, int count = 1, bool retry = false) {
    v1::CommitBatchRequest batch = Batch(lease_);
    v1::CommitOutboundOperation* send = batch.add_operations()->mutable_commit_outbound();
    send->set_reply_id(reply_id);
    send->set_part(part);
    send->set_part_count(count);
    send->set_stanza_id(StanzaId(reply_id, part));
    send->set_retry(retry);
    const auto response = Commit(lease_, batch);
    return response.results_size() == 1 ? response.results(0).commit_outbound() : v1::CommitOutboundResult();
  }
  v1::MarkDeliveryResult Mark(const std::string& stanza_id, v1::PartState state, const std::string& failure = "") {
    v1::CommitBatchRequest batch = Batch(lease_);
    v1::MarkDeliveryOperation* mark = batch.add_operations()->mutable_mark_delivery();
    mark->set_stanza_id(stanza_id);
    mark->set_state(state);
    mark->set_failure(failure);
    const auto response = Commit(lease_, batch);
    return response.results_size() == 1 ? response.results(0).mark_delivery() : v1::MarkDeliveryResult();
  }
  int Tasks(const std::string& reason) {
    return database_.Value<int>("select count(*) from tasks where reason = '" + reason + "'");
  }
  // Until another connection waits for a lock.
  bool SomebodyWaits() {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < end) {
      if (WaitingPid() != 0) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }
  int WaitingPid() {
    return database_.Value<int>(
        "select coalesce(min(pid), 0) from pg_stat_activity where datname = current_database() "
        "and wait_event_type = 'Lock'");
  }

  Gateway gateway_{"a"};
  std::string number_;
  v1::Lease lease_;
};

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

TEST_F(DeviceBatchTest, GathersABurstInOneTurn) {
  const auto first = Accept("hello", "m1"), second = Accept("I have a question", "m2");
  EXPECT_FALSE(first.duplicate());
  EXPECT_EQ(first.turn().state(), v1::TURN_STATE_OPEN);
  EXPECT_EQ(first.turn().route(), v1::ROUTE_WHATSAPP);
  EXPECT_EQ(second.turn().id(), first.turn().id());
  EXPECT_GT(second.seq(), first.seq());
  EXPECT_EQ(first.age(), v1::MESSAGE_AGE_FRESH);
  EXPECT_EQ(first.status(), v1::CONVERSATION_STATUS_ACTIVE);
  EXPECT_TRUE(GetNumber(number_).has_last_received_time());
  const auto again = Accept("hello", "m1");
  EXPECT_TRUE(again.duplicate());
  EXPECT_EQ(again.message_id(), first.message_id());
  EXPECT_EQ(again.seq(), first.seq());
  EXPECT_EQ(again.turn().id(), first.turn().id());
}

TEST_F(DeviceBatchTest, StoresTheGatesReplyWithTheMessage) {
  const std::string reply_id = NewUuid();
  const auto emergency = [&](v1::AcceptOperation* accept) {
    accept->mutable_verdict()->set_family("chest_pain");
    accept->mutable_verdict()->set_severity("emergency");
    accept->mutable_fixed_reply()->set_kind(v1::FIXED_REPLY_KIND_EMERGENCY);
    accept->mutable_fixed_reply()->set_text("Call now.");
    accept->set_fixed_reply_id(reply_id);
  };
  const auto result = Accept("my chest hurts", "m1", emergency);
  EXPECT_EQ(result.reply().id(), reply_id);
  EXPECT_EQ(result.turn().state(), v1::TURN_STATE_ANSWERED);
  EXPECT_EQ(result.status(), v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  EXPECT_EQ(database_.Value("select state || ' ' || stanza_id from reply_parts"), "queued " + StanzaId(reply_id, 0));
  EXPECT_EQ(Send(reply_id).outcome(), v1::OUTBOUND_OUTCOME_SEND) << "the gate's text goes out in takeover";
  const auto again = Accept("it still hurts", "m2", [&](v1::AcceptOperation* accept) {
    emergency(accept);
    accept->set_fixed_reply_id(NewUuid());
  });
  EXPECT_FALSE(again.has_reply()) << "once per family in thirty minutes";
  EXPECT_FALSE(again.has_turn());
}

TEST_F(DeviceBatchTest, TakesAReplyThatLeftOutOfTheJournalAsSending) {
  const std::string reply_id = NewUuid();
  Accept("my chest hurts", "m1", [&](v1::AcceptOperation* accept) {
    accept->mutable_verdict()->set_family("chest_pain");
    accept->mutable_fixed_reply()->set_kind(v1::FIXED_REPLY_KIND_EMERGENCY);
    accept->mutable_fixed_reply()->set_text("Call now.");
    accept->set_fixed_reply_id(reply_id);
    accept->set_fixed_reply_sent(true);
  });
  EXPECT_EQ(database_.Value("select state from reply_parts"), "sending");
  EXPECT_EQ(Mark(StanzaId(reply_id, 0), v1::PART_STATE_SENT).state(), v1::PART_STATE_SENT);
}

TEST_F(DeviceBatchTest, TellsHowOldAMessageWas) {
  const auto late =
      Accept("hello", "m1", [](auto* accept) { accept->mutable_message_time()->set_seconds(time(nullptr) - 3600); });
  EXPECT_EQ(late.age(), v1::MESSAGE_AGE_LATE);
  EXPECT_TRUE(late.stale_notice_due());
  EXPECT_EQ(late.turn().state(), v1::TURN_STATE_OPEN);
  EXPECT_EQ(Tasks("stale_message"), 1);
  const auto old = Accept("hello", "m2", [](auto* accept) {
    accept->mutable_contact()->set_phone("+15550100002");
    accept->mutable_message_time()->set_seconds(time(nullptr) - 100'000);
  });
  EXPECT_EQ(old.age(), v1::MESSAGE_AGE_OLD);
  EXPECT_EQ(old.turn().state(), v1::TURN_STATE_SKIPPED);
  EXPECT_EQ(old.turn().skip_reason(), v1::SKIP_REASON_STALE);
  const auto skewed = Accept("hello", "m3", [](auto* accept) {
    accept->mutable_contact()->set_phone("+15550100003");
    accept->mutable_message_time()->set_seconds(time(nullptr) - 3600);
    accept->mutable_server_offset()->set_seconds(-3600);
  });
  EXPECT_EQ(skewed.age(), v1::MESSAGE_AGE_FRESH) << "their clock is an hour behind ours";
}

TEST_F(DeviceBatchTest, GivesOneStaleNoticeADayAndNoLateAnswer) {
  const auto an_hour_ago = [](auto* accept) { accept->mutable_message_time()->set_seconds(time(nullptr) - 3600); };
  const auto first = Accept("hello", "m1", an_hour_ago);
  database_.Sql("select medidesk.commit_reply('" + first.turn().id() + "', '" + NewUuid() +
                "', 'bot', 'stale_notice', 'Too late, sorry.', '', '')");
  const auto second = Accept("are you there", "m2", an_hour_ago);
  EXPECT_EQ(second.age(), v1::MESSAGE_AGE_LATE);
  EXPECT_FALSE(second.stale_notice_due());
  EXPECT_EQ(second.turn().state(), v1::TURN_STATE_SKIPPED);
  EXPECT_EQ(second.turn().skip_reason(), v1::SKIP_REASON_STALE);
  EXPECT_EQ(Tasks("stale_message"), 1) << "one that is open is enough";
}

TEST_F(DeviceBatchTest, SilencesTheAssistantOfANumberWhoseBotIsOff) {
  database_.Sql("update numbers set bot_enabled = false");
  const auto result = Accept("hello", "m1");
  EXPECT_EQ(result.turn().skip_reason(), v1::SKIP_REASON_KILLED);
  EXPECT_EQ(Tasks("assistant_off"), 1);
}

TEST_F(DeviceBatchTest, TakesOverWhenThePhoneItselfWrites) {
  const auto inbound =
      Accept("hello", "m1", [](auto* accept) { accept->mutable_message_time()->set_seconds(time(nullptr) - 60); });
  const auto typed = Accept("I will call you", "p1", [](auto* accept) { accept->set_from_me(true); });
  EXPECT_FALSE(typed.has_turn());
  EXPECT_EQ(typed.conversation_id(), inbound.conversation_id());
  EXPECT_EQ(typed.status(), v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  EXPECT_EQ(database_.Value("select takeover_reason from contacts"), "phone");
  SetTakeover(inbound.conversation_id(), false);
  const auto before = Accept("typed before the hand-back", "p2", [](auto* accept) {
    accept->set_from_me(true);
    accept->mutable_message_time()->set_seconds(time(nullptr) - 30);
  });
  EXPECT_EQ(before.status(), v1::CONVERSATION_STATUS_ACTIVE);
}

TEST_F(DeviceBatchTest, KnowsTheGreetingOfThePhonesOwnApp) {
  Accept("hello", "m1");
  const auto greeting = Accept("Welcome!", "p1", [](auto* accept) { accept->set_from_me(true); });
  EXPECT_EQ(greeting.status(), v1::CONVERSATION_STATUS_ACTIVE);
  EXPECT_EQ(database_.Value<int>("select count(*) from messages where from_me"), 1);
}

TEST_F(DeviceBatchTest, KnowsItsOwnMessageComingBack) {
  const auto accepted =
      Accept("hello", "m1", [](auto* accept) { accept->mutable_message_time()->set_seconds(time(nullptr) - 60); });
  const std::string reply = Reply(accepted.turn().id());
  const auto echo = Accept("hello", StanzaId(reply, 0), [](auto* accept) { accept->set_from_me(true); });
  EXPECT_TRUE(echo.duplicate());
  EXPECT_EQ(echo.message_id(), reply);
  EXPECT_EQ(echo.status(), v1::CONVERSATION_STATUS_ACTIVE);
}

TEST_F(DeviceBatchTest, EditsAndDeletesInAnOpenTurn) {
  const auto first = Accept("tomoro", "m1"), second = Accept("please", "m2");
  const auto edited = Accept("tomorrow", "e1", [](auto* accept) {
    accept->set_kind(v1::INBOUND_KIND_EDIT);
    accept->set_target_whatsapp_message_id("m1");
  });
  EXPECT_EQ(edited.turn().id(), first.turn().id());
  const auto remove = [&](const std::string& id, const std::string& target) {
    return Accept("", id, [&](auto* accept) {
      accept->set_kind(v1::INBOUND_KIND_DELETION);
      accept->set_target_whatsapp_message_id(target);
    });
  };
  EXPECT_EQ(remove("d1", "m2").turn().state(), v1::TURN_STATE_OPEN);
  EXPECT_EQ(database_.Value("select string_agg(content, '|' order by seq) from messages where deleted_at is null"),
            "tomorrow");
  const auto last = remove("d2", "m1");
  EXPECT_EQ(last.turn().state(), v1::TURN_STATE_SKIPPED);
  EXPECT_EQ(last.turn().skip_reason(), v1::SKIP_REASON_EMPTY);
  EXPECT_TRUE(remove("d2", "m1").duplicate());
}

TEST_F(DeviceBatchTest, OnlyRecordsWhatComesAfterTheTurn) {
  const auto first = Accept("tomoro", "m1");
  Reply(first.turn().id());
  const auto edited = Accept("tomorrow", "e1", [](auto* accept) {
    accept->set_kind(v1::INBOUND_KIND_EDIT);
    accept->set_target_whatsapp_message_id("m1");
  });
  EXPECT_FALSE(edited.has_turn());
  const auto reaction = Accept("+1", "r1", [](auto* accept) {
    accept->set_kind(v1::INBOUND_KIND_REACTION);
    accept->set_target_whatsapp_message_id("m1");
  });
  EXPECT_FALSE(reaction.has_turn());
  EXPECT_EQ(database_.Value("select content from messages where whatsapp_message_id = 'm1'"), "tomoro");
  EXPECT_EQ(database_.Value<int>("select count(*) from turns"), 1);
  EXPECT_EQ(
      database_.Value<int>("select count(*) from messages where kind in ('edit', 'reaction') and deleted_at is null"),
      2);
}

TEST_F(DeviceBatchTest, PutsTheContentInThePlaceOfWhatCouldNotBeDecrypted) {
  const auto lost = Accept("", "m1", [](auto* accept) { accept->set_kind(v1::INBOUND_KIND_UNDECRYPTABLE); });
  EXPECT_FALSE(lost.has_turn());
  EXPECT_EQ(Tasks("undecryptable_message"), 1);
  const auto found = Accept("hello", "m1");
  EXPECT_FALSE(found.duplicate());
  EXPECT_EQ(found.turn().state(), v1::TURN_STATE_OPEN);
  EXPECT_EQ(database_.Value("select content from messages"), "hello");
}

TEST_F(DeviceBatchTest, MergesTheTwoNamesOfOnePerson) {
  const auto by_lid = Accept("hello", "m1", [](auto* accept) {
    accept->mutable_contact()->clear_phone();
    accept->mutable_contact()->set_lid("777");
  });
  Accept("hello", "m2");  // +15550100001
  v1::CommitBatchRequest batch = Batch(lease_);
  v1::PhoneContact* contact = batch.add_operations()->mutable_learn_contact()->mutable_contact();
  contact->set_phone("+15550100001");
  contact->set_lid("777");
  const auto learnt = Commit(lease_, batch).results(0).learn_contact();
  EXPECT_EQ(learnt.contact_id(), by_lid.turn().contact_id()) << "the older one stays";
  EXPECT_EQ(learnt.merged_contact_ids_size(), 1);
  const auto both = Accept("again", "m3", [](auto* accept) { accept->mutable_contact()->set_lid("777"); });
  EXPECT_EQ(both.conversation_id(), by_lid.conversation_id());
}

TEST_F(DeviceBatchTest, MovesAPartOnwardAndNeverBack) {
  const auto accepted = Accept("hello", "m1");
  const std::string reply = Reply(accepted.turn().id()), stanza = StanzaId(reply, 0);
  EXPECT_EQ(Send(reply).outcome(), v1::OUTBOUND_OUTCOME_SEND);
  EXPECT_EQ(Send(reply).outcome(), v1::OUTBOUND_OUTCOME_SEND) << "a second attempt under the same id";
  EXPECT_EQ(Mark(stanza, v1::PART_STATE_DELIVERED).state(), v1::PART_STATE_DELIVERED);
  EXPECT_EQ(Mark(stanza, v1::PART_STATE_SENT).state(), v1::PART_STATE_DELIVERED);
  EXPECT_EQ(Mark(stanza, v1::PART_STATE_FAILED, "ack.463").state(), v1::PART_STATE_DELIVERED);
  EXPECT_EQ(Send(reply).outcome(), v1::OUTBOUND_OUTCOME_DONE);
  EXPECT_EQ(Send(reply, 0, 1, /*retry=*/true).outcome(), v1::OUTBOUND_OUTCOME_SEND) << "a phone could not read it";
  EXPECT_EQ(Mark(stanza, v1::PART_STATE_READ).reply_id(), reply);
  EXPECT_EQ(Mark("3EB0FFFF", v1::PART_STATE_READ).state(), v1::PART_STATE_UNSPECIFIED) << "another program's";
  EXPECT_EQ(Send(NewUuid()).outcome(), v1::OUTBOUND_OUTCOME_UNKNOWN_PART);
  EXPECT_EQ(Tasks("delivery_failed"), 0);
}

TEST_F(DeviceBatchTest, OpensATaskForAPartThatFails) {
  const std::string reply = Reply(Accept("hello", "m1").turn().id());
  EXPECT_EQ(Send(reply, 0, 3).outcome(), v1::OUTBOUND_OUTCOME_SEND);
  EXPECT_EQ(Mark(StanzaId(reply, 0), v1::PART_STATE_FAILED, "ack.479").state(), v1::PART_STATE_FAILED);
  EXPECT_EQ(database_.Value("select string_agg(state || ':' || failure, ' ' order by part) from reply_parts"),
            "failed:ack.479 failed:ack.479 failed:ack.479");
  EXPECT_EQ(Tasks("delivery_failed"), 1);
}

TEST_F(DeviceBatchTest, DiscardsWhatTheAssistantWroteBeforeATakeover) {
  const auto accepted = Accept("hello", "m1");
  const std::string reply = Reply(accepted.turn().id());
  SetTakeover(accepted.conversation_id(), true);
  v1::CommitBatchRequest batch = Record(lease_);  // the ratchet's delta stands before it
  v1::CommitOutboundOperation* send = batch.add_operations()->mutable_commit_outbound();
  send->set_reply_id(reply);
  send->set_part_count(2);
  send->set_stanza_id(StanzaId(reply, 0));
  const auto result = Commit(lease_, batch).results(1).commit_outbound();
  EXPECT_EQ(result.outcome(), v1::OUTBOUND_OUTCOME_DISCARDED);
  EXPECT_EQ(result.state(), v1::PART_STATE_DISCARDED);
  EXPECT_EQ(Records(), 1) << "the delta is stored all the same";
  EXPECT_EQ(database_.Value("select string_agg(state, ' ' order by part) from reply_parts"), "discarded discarded");
  EXPECT_EQ(Send(reply).outcome(), v1::OUTBOUND_OUTCOME_DISCARDED);
}

TEST_F(DeviceBatchTest, LeavesAPartUnknownThatMayHaveLeftBeforeATakeover) {
  const auto accepted = Accept("hello", "m1");
  const std::string reply = Reply(accepted.turn().id());
  EXPECT_EQ(Send(reply).outcome(), v1::OUTBOUND_OUTCOME_SEND);
  SetTakeover(accepted.conversation_id(), true);
  const auto second = Send(reply);
  EXPECT_EQ(second.outcome(), v1::OUTBOUND_OUTCOME_DISCARDED);
  EXPECT_EQ(second.state(), v1::PART_STATE_UNKNOWN);
  EXPECT_EQ(Mark(StanzaId(reply, 0), v1::PART_STATE_SENT).state(), v1::PART_STATE_SENT) << "it had left";
}

TEST_F(DeviceBatchTest, ReportsWhatTheConnectionIsDoing) {
  v1::CommitBatchRequest batch = Batch(lease_);
  v1::SetNumberStateOperation* state = batch.add_operations()->mutable_set_number_state();
  state->set_state(v1::NUMBER_STATE_RECONNECTING);
  state->set_state_reason("stream.515");
  state->mutable_retry_time()->set_seconds(1'900'000'000);
  state->set_send_state(v1::SEND_STATE_LIMITED);
  state->set_display_name("Sample Hospital");
  state->set_platform("smba");
  state->set_needs_attention(true);
  Commit(lease_, batch);
  v1::Number number = GetNumber(number_);
  EXPECT_EQ(number.state(), v1::NUMBER_STATE_RECONNECTING);
  EXPECT_EQ(number.state_reason(), "stream.515");
  EXPECT_EQ(number.retry_time().seconds(), 1'900'000'000);
  EXPECT_EQ(number.send_state(), v1::SEND_STATE_LIMITED);
  EXPECT_EQ(number.display_name(), "Sample Hospital");
  EXPECT_EQ(number.phone(), "+15550109999");
  EXPECT_TRUE(number.has_link_time());
  EXPECT_EQ(Tasks("number_attention:" + number_), 1);

  batch = Batch(lease_);
  state = batch.add_operations()->mutable_set_number_state();
  state->set_state(v1::NUMBER_STATE_NEEDS_LINK);
  state->set_unlinked(true);
  Commit(lease_, batch);
  number = GetNumber(number_);
  EXPECT_EQ(number.device_jid(), "");
  EXPECT_EQ(number.phone(), "");
  EXPECT_FALSE(number.has_link_time());
  EXPECT_FALSE(number.has_retry_time());
}

class FirstLinkTest : public testing::DeviceTest {};

TEST_F(FirstLinkTest, AdoptsWhatWebhookCallersHaveSaid) {
  const auto webhook = [&](const std::string& id) {
    v1::AcceptRequest request;
    request.set_commit_id(NewUuid());
    request.set_route(v1::ROUTE_WEBHOOK);
    request.set_phone("+15550100001");
    request.set_whatsapp_message_id(id);
    request.set_text("hello");
    return Wait(conversations_.Accept(request, request.phone(), "", Soon())).value();
  };
  const auto before = webhook("w1");
  Gateway gateway{"a"};
  Beat(gateway);
  const std::string number = MakeNumber("front-desk"), second = MakeNumber("second");
  v1::Lease lease = Link(gateway, number);
  EXPECT_EQ(database_.Value("select number_id from conversations"), number);
  Link(gateway, second, "+15550100009");
  EXPECT_EQ(database_.Value("select webhook_number_id from medidesk.site"), number);
  EXPECT_EQ(webhook("w2").turn.conversation_id(), before.turn.conversation_id())
      << "also for a caller who has read the old number's id";
  // The message that the webhook told of comes over the link, too: its answer goes out there.
  v1::CommitBatchRequest batch = Batch(lease);
  v1::AcceptOperation* accept = batch.add_operations()->mutable_accept();
  accept->set_message_id(NewUuid());
  accept->mutable_contact()->set_phone("+15550100001");
  accept->set_whatsapp_message_id("w2");
  accept->set_kind(v1::INBOUND_KIND_TEXT);
  accept->set_text("hello");
  accept->mutable_message_time()->set_seconds(time(nullptr));
  const auto twin = Commit(lease, batch).results(0).accept();
  EXPECT_TRUE(twin.duplicate());
  EXPECT_EQ(twin.turn().route(), v1::ROUTE_WHATSAPP);
  EXPECT_EQ(database_.Value("select number_id from turns where id = '" + twin.turn().id() + "'"), number);
}

}  // namespace
}  // namespace medidesk::store
