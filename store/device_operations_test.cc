// What each operation of a batch does to conversations, parts and numbers.
#include <gtest/gtest.h>

#include "store/testing/device_batch_fixture.h"

namespace medidesk::store {
namespace {

using testing::DeviceBatchTest;

class DeviceOperationsTest : public DeviceBatchTest {};

TEST_F(DeviceOperationsTest, GathersABurstInOneTurn) {
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

TEST_F(DeviceOperationsTest, StoresTheGatesReplyWithTheMessage) {
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

TEST_F(DeviceOperationsTest, TakesAReplyThatLeftOutOfTheJournalAsSending) {
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

TEST_F(DeviceOperationsTest, TellsHowOldAMessageWas) {
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

TEST_F(DeviceOperationsTest, GivesOneStaleNoticeADayAndNoLateAnswer) {
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

TEST_F(DeviceOperationsTest, SilencesTheAssistantOfANumberWhoseBotIsOff) {
  database_.Sql("update numbers set bot_enabled = false");
  const auto result = Accept("hello", "m1");
  EXPECT_EQ(result.turn().skip_reason(), v1::SKIP_REASON_KILLED);
  EXPECT_EQ(Tasks("assistant_off"), 1);
}

TEST_F(DeviceOperationsTest, TakesOverWhenThePhoneItselfWrites) {
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

TEST_F(DeviceOperationsTest, KnowsTheGreetingOfThePhonesOwnApp) {
  Accept("hello", "m1");
  const auto greeting = Accept("Welcome!", "p1", [](auto* accept) { accept->set_from_me(true); });
  EXPECT_EQ(greeting.status(), v1::CONVERSATION_STATUS_ACTIVE);
  EXPECT_EQ(database_.Value<int>("select count(*) from messages where from_me"), 1);
}

TEST_F(DeviceOperationsTest, KnowsItsOwnMessageComingBack) {
  const auto accepted =
      Accept("hello", "m1", [](auto* accept) { accept->mutable_message_time()->set_seconds(time(nullptr) - 60); });
  const std::string reply = Reply(accepted.turn().id());
  const auto echo = Accept("hello", StanzaId(reply, 0), [](auto* accept) { accept->set_from_me(true); });
  EXPECT_TRUE(echo.duplicate());
  EXPECT_EQ(echo.message_id(), reply);
  EXPECT_EQ(echo.status(), v1::CONVERSATION_STATUS_ACTIVE);
}

TEST_F(DeviceOperationsTest, EditsAndDeletesInAnOpenTurn) {
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

TEST_F(DeviceOperationsTest, OnlyRecordsWhatComesAfterTheTurn) {
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

TEST_F(DeviceOperationsTest, PutsTheContentInThePlaceOfWhatCouldNotBeDecrypted) {
  const auto lost = Accept("", "m1", [](auto* accept) { accept->set_kind(v1::INBOUND_KIND_UNDECRYPTABLE); });
  EXPECT_FALSE(lost.has_turn());
  EXPECT_EQ(Tasks("undecryptable_message"), 1);
  const auto found = Accept("hello", "m1");
  EXPECT_FALSE(found.duplicate());
  EXPECT_EQ(found.turn().state(), v1::TURN_STATE_OPEN);
  EXPECT_EQ(database_.Value("select content from messages"), "hello");
}

TEST_F(DeviceOperationsTest, MergesTheTwoNamesOfOnePerson) {
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

TEST_F(DeviceOperationsTest, MovesAPartOnwardAndNeverBack) {
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

TEST_F(DeviceOperationsTest, OpensATaskForAPartThatFails) {
  const std::string reply = Reply(Accept("hello", "m1").turn().id());
  EXPECT_EQ(Send(reply, 0, 3).outcome(), v1::OUTBOUND_OUTCOME_SEND);
  EXPECT_EQ(Mark(StanzaId(reply, 0), v1::PART_STATE_FAILED, "ack.479").state(), v1::PART_STATE_FAILED);
  EXPECT_EQ(database_.Value("select string_agg(state || ':' || failure, ' ' order by part) from reply_parts"),
            "failed:ack.479 failed:ack.479 failed:ack.479");
  EXPECT_EQ(Tasks("delivery_failed"), 1);
}

TEST_F(DeviceOperationsTest, DiscardsWhatTheAssistantWroteBeforeATakeover) {
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

TEST_F(DeviceOperationsTest, LeavesAPartUnknownThatMayHaveLeftBeforeATakeover) {
  const auto accepted = Accept("hello", "m1");
  const std::string reply = Reply(accepted.turn().id());
  EXPECT_EQ(Send(reply).outcome(), v1::OUTBOUND_OUTCOME_SEND);
  SetTakeover(accepted.conversation_id(), true);
  const auto second = Send(reply);
  EXPECT_EQ(second.outcome(), v1::OUTBOUND_OUTCOME_DISCARDED);
  EXPECT_EQ(second.state(), v1::PART_STATE_UNKNOWN);
  EXPECT_EQ(Mark(StanzaId(reply, 0), v1::PART_STATE_SENT).state(), v1::PART_STATE_SENT) << "it had left";
}

TEST_F(DeviceOperationsTest, ReportsWhatTheConnectionIsDoing) {
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

TEST_F(DeviceOperationsTest, TakesOverForAMessageOfOurPhoneThatCouldBeReadOnlyLater) {
  Accept("is there parking?", "m1");
  database_.Sql("update messages set message_at = message_at - interval '1 minute'");
  const auto unread = [](v1::AcceptOperation* accept) {
    accept->set_from_me(true);
    accept->set_kind(v1::INBOUND_KIND_UNDECRYPTABLE);
    accept->clear_text();
    accept->clear_verdict();
  };
  const auto ours = [](v1::AcceptOperation* accept) {
    accept->set_from_me(true);
    accept->clear_verdict();
  };
  Accept("", "p1", unread);
  EXPECT_EQ(database_.Value("select status from contacts"), "active");
  const auto read = Accept("I have put you on the list.", "p1", ours);
  EXPECT_FALSE(read.duplicate());
  EXPECT_EQ(database_.Value("select status || ' ' || takeover_reason from contacts"), "human_takeover phone");
  EXPECT_EQ(database_.Value("select string_agg(content, '|') from messages where from_me"),
            "I have put you on the list.");
  EXPECT_TRUE(Accept("I have put you on the list.", "p1", ours).duplicate());
  EXPECT_TRUE(Accept("", "p1", unread).duplicate()) << "what was read stays";
  EXPECT_EQ(database_.Value<int>("select count(*) from messages where from_me"), 1);
}

TEST_F(DeviceOperationsTest, EndsWhatANumberWithoutAnOwnerWillNeverSend) {
  const auto asked = Accept("is there parking?", "m1");
  const std::string left = Reply(asked.turn().id()), waiting = Reply(Accept("and a cafe?", "m2").turn().id());
  EXPECT_EQ(Send(left).outcome(), v1::OUTBOUND_OUTCOME_SEND);
  Accept("hello?", "m3");
  const auto expire = [&] { return database_.Value<int>("select medidesk.expire_unserved(100)"); };
  const auto states = [&] {
    return database_.Value(
        "select string_agg(state || coalesce(' ' || failure, ''), ', ' order by state) from reply_parts");
  };
  const std::string old = "clock_timestamp() - interval '11 minutes'";
  database_.Sql("update reply_parts set created_at = " + old);
  database_.Sql("update turns set opened_at = " + old);
  EXPECT_EQ(expire(), 0) << "its gateway will send them";

  v1::CommitBatchRequest batch = Batch(lease_);
  batch.add_operations()->mutable_set_number_state()->set_unlinked(true);
  Commit(lease_, batch);
  database_.Sql("update reply_parts set created_at = clock_timestamp() - interval '9 minutes'");
  database_.Sql("update turns set opened_at = clock_timestamp() - interval '9 minutes'");
  EXPECT_EQ(expire(), 0) << "a number that is linked again soon sends them still";
  database_.Sql("update reply_parts set created_at = " + old);
  database_.Sql("update turns set opened_at = " + old);
  EXPECT_EQ(expire(), 3);
  EXPECT_EQ(states(), "failed expired, unknown expired");
  EXPECT_EQ(Tasks("delivery_failed"), 1) << "one for the conversation";
  EXPECT_EQ(Tasks("unanswered"), 1);
  EXPECT_EQ(expire(), 0) << "once";
}

TEST_F(DeviceOperationsTest, ForgetsSentTextsThatNoPhoneAsksForAgain) {
  const std::string reply = Reply(Accept("is there parking?", "m1").turn().id());
  EXPECT_EQ(Send(reply).outcome(), v1::OUTBOUND_OUTCOME_SEND);
  v1::CommitBatchRequest batch = Batch(lease_);
  Put(batch, v1::DEVICE_STATE_KIND_SENT_CONTENT, StanzaId(reply, 0), "sealed");
  Put(batch, v1::DEVICE_STATE_KIND_SESSION, "k", "x");
  Commit(lease_, batch);
  const int before = Records();
  EXPECT_EQ(database_.Value<int>("select medidesk.forget_sent_contents(100)"), 0);
  database_.Sql("update reply_parts set created_at = clock_timestamp() - interval '9 days'");
  EXPECT_EQ(database_.Value<int>("select medidesk.forget_sent_contents(100)"), 1);
  EXPECT_EQ(Records(), before - 1) << "and nothing else";
}

}  // namespace
}  // namespace medidesk::store
