// ConversationService over a real PostgreSQL: the life of turns as design section 2 has it.
#include "store/service/conversation_service.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "base/io_threads.h"
#include "base/rpc/error_details.h"
#include "base/uuid.h"
#include "store/testing/test_database.h"

namespace medidesk::store {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class ConversationServiceTest : public ::testing::Test {
 protected:
  static constexpr auto kClaim = 300ms;

  ConversationServiceTest()
      : metrics_(registry_),
        io_(2),
        pool_({.url = Phi(database_.url()), .connections = 4}, metrics_),
        repository_(pool_, {.webhook_number = "", .claim = kClaim}),
        dispatcher_(io_.executor(), registry_, {.service = "store"}),
        service_(dispatcher_, repository_, {.claim_poll = 10ms, .outbox_poll = 20ms}) {}

  template <class T>
  T Wait(asio::awaitable<T> work) {
    return asio::co_spawn(io_.executor(), std::move(work), asio::use_future).get();
  }
  static rpc::Call CallWithin(std::chrono::milliseconds time) {
    rpc::Call call;
    call.deadline = rpc::Call::Clock::now() + time;
    return call;
  }

  static v1::AcceptRequest Message(const std::string& text, const std::string& id,
                                   const std::string& phone = "+15550100001") {
    v1::AcceptRequest request;
    request.set_commit_id(NewUuid());
    request.set_route(v1::ROUTE_WEBHOOK);
    request.set_phone(phone);
    request.set_whatsapp_message_id(id);
    request.set_text(text);
    request.set_history_limit(20);
    request.mutable_verdict()->set_severity("none");
    request.mutable_verdict()->set_table_version("1");
    return request;
  }
  absl::StatusOr<v1::AcceptResponse> TryAccept(const v1::AcceptRequest& request) {
    const rpc::Call call = CallWithin(10s);
    return Wait(service_.Accept(call, request));
  }
  v1::AcceptResponse Accept(const v1::AcceptRequest& request) {
    auto response = TryAccept(request);
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::AcceptResponse());
  }
  absl::StatusOr<v1::CommitReplyResponse> TryCommit(const std::string& turn_id, const std::string& text,
                                                    const std::string& commit_id = NewUuid()) {
    v1::CommitReplyRequest request;
    request.set_turn_id(turn_id);
    request.set_commit_id(commit_id);
    request.set_origin(v1::REPLY_ORIGIN_BOT);
    request.set_text(text);
    request.set_source("test");
    const rpc::Call call = CallWithin(10s);
    return Wait(service_.CommitReply(call, request));
  }
  v1::CommitReplyResponse Commit(const std::string& turn_id, const std::string& text,
                                 const std::string& commit_id = NewUuid()) {
    auto response = TryCommit(turn_id, text, commit_id);
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::CommitReplyResponse());
  }
  absl::StatusOr<v1::GetTurnResponse> GetTurn(const std::string& turn_id, const std::string& claim_id,
                                              std::chrono::milliseconds within = 10s) {
    v1::GetTurnRequest request;
    request.set_turn_id(turn_id);
    request.set_claim_id(claim_id);
    request.set_history_limit(20);
    const rpc::Call call = CallWithin(within);
    return Wait(service_.GetTurn(call, request));
  }
  v1::Conversation SetTakeover(const std::string& id, bool on) {
    const rpc::Call call = CallWithin(10s);
    if (on) {
      v1::TakeOverRequest request;
      request.set_conversation_id(id);
      return Wait(service_.TakeOver(call, request)).value().conversation();
    }
    v1::HandBackRequest request;
    request.set_conversation_id(id);
    return Wait(service_.HandBack(call, request)).value().conversation();
  }

  testing::TestDatabase database_;
  prometheus::Registry registry_;
  StoreMetrics metrics_;
  IoThreads io_;
  DbPool pool_;
  ConversationRepository repository_;
  rpc::Dispatcher dispatcher_;
  ConversationService service_;
};

TEST_F(ConversationServiceTest, AcceptsSealsAndClaimsInOneCall) {
  const auto request = Message("hello", "m1");
  const auto response = Accept(request);
  EXPECT_FALSE(response.duplicate());
  EXPECT_EQ(response.turn().id(), request.commit_id());
  EXPECT_EQ(response.turn().state(), v1::TURN_STATE_SEALED);
  EXPECT_TRUE(response.turn().has_claim_expire_time());
  EXPECT_THAT(response.turn().texts(), ElementsAre("hello"));
  EXPECT_TRUE(response.turn().first_contact());
  EXPECT_EQ(response.status(), v1::CONVERSATION_STATUS_ACTIVE);
  EXPECT_EQ(database_.Value("select sender from messages"), "+15550100001");
}

TEST_F(ConversationServiceTest, GivesTheFirstOutcomeForARepeatedCommitId) {
  const auto request = Message("hello", "m1");
  const auto first = Accept(request), again = Accept(request);
  EXPECT_FALSE(again.duplicate());
  EXPECT_EQ(again.turn().id(), first.turn().id());
  EXPECT_TRUE(again.turn().has_claim_expire_time()) << "the same caller keeps its claim";
  EXPECT_THAT(again.turn().texts(), ElementsAre("hello"));

  const std::string commit = NewUuid();
  EXPECT_TRUE(Commit(first.turn().id(), "hi", commit).committed());
  const auto repeated = Commit(first.turn().id(), "hi", commit);
  EXPECT_TRUE(repeated.committed());
  EXPECT_EQ(repeated.reply().text(), "hi");
  EXPECT_EQ(database_.Value<int>("select count(*) from messages"), 2);
}

TEST_F(ConversationServiceTest, KeepsTheFirstReplyAndGivesItToEverybody) {
  const auto turn = Accept(Message("hello", "m1")).turn();
  EXPECT_TRUE(Commit(turn.id(), "first").committed());
  const auto second = Commit(turn.id(), "second");
  EXPECT_FALSE(second.committed());
  EXPECT_EQ(second.reply().text(), "first");
  EXPECT_EQ(database_.Value<int>("select count(*) from replies"), 1);
  const auto duplicate = Accept(Message("hello", "m1"));
  EXPECT_TRUE(duplicate.duplicate());
  EXPECT_EQ(duplicate.reply().text(), "first");
  EXPECT_EQ(duplicate.turn().state(), v1::TURN_STATE_ANSWERED);
}

TEST_F(ConversationServiceTest, DoesNotDeduplicateWithoutAMessageId) {
  const auto first = Accept(Message("hello", ""));
  Commit(first.turn().id(), "hi");
  const auto second = Accept(Message("hello", ""));
  EXPECT_FALSE(second.duplicate());
  EXPECT_EQ(database_.Value<int>("select count(*) from messages where whatsapp_message_id like 'gen:%'"), 2);
}

TEST_F(ConversationServiceTest, LetsADuplicateWaitForTheReply) {
  const auto first = Accept(Message("hello", "m1"));
  const auto duplicate = Accept(Message("hello", "m1"));
  EXPECT_TRUE(duplicate.duplicate());
  EXPECT_FALSE(duplicate.turn().has_claim_expire_time()) << "the first caller is at work";
  std::thread writer([&] { Commit(first.turn().id(), "hi"); });
  const auto waited = GetTurn(first.turn().id(), NewUuid());
  writer.join();
  ASSERT_TRUE(waited.ok()) << Text(waited.status());
  EXPECT_EQ(waited->reply().text(), "hi");
}

TEST_F(ConversationServiceTest, AbortsAWaitAtItsDeadline) {
  const auto first = Accept(Message("hello", "m1"));
  const auto waited = GetTurn(first.turn().id(), NewUuid(), 100ms);
  EXPECT_EQ(waited.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(rpc::Reason(waited.status()), "TURN_CLAIMED");
}

TEST_F(ConversationServiceTest, GivesALapsedClaimToAWaitingCaller) {
  const auto first = Accept(Message("hello", "m1"));
  const std::string claim = NewUuid();
  const auto taken = GetTurn(first.turn().id(), claim);  // waits until the 300 ms are over
  ASSERT_TRUE(taken.ok()) << Text(taken.status());
  EXPECT_TRUE(taken->turn().has_claim_expire_time());
  EXPECT_THAT(taken->turn().texts(), ElementsAre("hello"));
  v1::RenewClaimRequest renew;
  renew.set_turn_id(first.turn().id());
  renew.set_claim_id(first.turn().id());
  const rpc::Call call = CallWithin(5s);
  EXPECT_FALSE(Wait(service_.RenewClaim(call, renew))->held()) << "taken by another";
  renew.set_claim_id(claim);
  EXPECT_TRUE(Wait(service_.RenewClaim(call, renew))->held());
}

TEST_F(ConversationServiceTest, AnswersTurnsOfAConversationInOrder) {
  const auto first = Accept(Message("one", "m1"));
  const auto second = Accept(Message("two", "m2"));
  EXPECT_FALSE(second.turn().has_claim_expire_time()) << "the earlier turn is being answered";
  std::thread writer([&] { Commit(first.turn().id(), "answer one"); });
  const auto turn = GetTurn(second.turn().id(), second.turn().id());
  writer.join();
  ASSERT_TRUE(turn.ok());
  ASSERT_EQ(turn->turn().history_size(), 2);
  EXPECT_EQ(turn->turn().history(0).text(), "one");
  EXPECT_EQ(turn->turn().history(1).text(), "answer one");
  EXPECT_TRUE(turn->turn().history(1).from_hospital());
  EXPECT_THAT(turn->turn().texts(), ElementsAre("two"));
}

TEST_F(ConversationServiceTest, SequenceFollowsTheCommitOrderUnderConcurrency) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 10; ++k) {
        const auto turn = Accept(Message("t", "m" + std::to_string(i) + "-" + std::to_string(k))).turn();
        Commit(turn.id(), "r");
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(database_.Value<int>("select count(*) from turns where state = 'answered'"), 40);
  EXPECT_EQ(database_.Value<int>("select count(*) from replies"), 40);
  EXPECT_EQ(database_.Value<int>("select count(*) from conversations"), 1);
  EXPECT_EQ(database_.Value<int>(
                "select count(*) from (select seq, lag(created_at) over (order by seq) as before, created_at "
                "from messages) as m where created_at < before"),
            0);
}

TEST_F(ConversationServiceTest, StoresOneMessageForConcurrentDuplicates) {
  std::vector<std::thread> threads;
  std::atomic<int> fresh = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      if (!Accept(Message("hello", "same")).duplicate()) ++fresh;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(fresh, 1);
  EXPECT_EQ(database_.Value<int>("select count(*) from messages"), 1);
}

TEST_F(ConversationServiceTest, DiscardsAReplyAfterATakeover) {
  const auto accepted = Accept(Message("hello", "m1"));
  EXPECT_EQ(SetTakeover(accepted.turn().conversation_id(), true).status(), v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  const auto late = Commit(accepted.turn().id(), "too late");
  EXPECT_FALSE(late.committed());
  EXPECT_EQ(late.state(), v1::TURN_STATE_SKIPPED);
  EXPECT_EQ(late.skip_reason(), v1::SKIP_REASON_TAKEOVER);
  EXPECT_FALSE(late.has_reply());
  EXPECT_EQ(database_.Value<int>("select count(*) from messages where direction = 'sent'"), 0);

  const auto next = Accept(Message("anybody there?", "m2"));
  EXPECT_EQ(next.turn().state(), v1::TURN_STATE_SKIPPED);
  EXPECT_EQ(next.status(), v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  EXPECT_EQ(SetTakeover(accepted.turn().conversation_id(), false).status(), v1::CONVERSATION_STATUS_ACTIVE);
  EXPECT_EQ(GetTurn(next.turn().id(), NewUuid())->turn().state(), v1::TURN_STATE_SKIPPED) << "a skipped turn stays so";
  EXPECT_EQ(Accept(Message("hello again", "m3")).turn().state(), v1::TURN_STATE_SEALED);
}

TEST_F(ConversationServiceTest, AnswersAnEmergencyInTheSameTransaction) {
  const auto earlier = Accept(Message("visiting hours?", "m0"));
  auto request = Message("chest pain", "m1");
  request.mutable_verdict()->set_severity("emergency");
  request.mutable_verdict()->set_family("chest_pain");
  request.mutable_fixed_reply()->set_kind(v1::FIXED_REPLY_KIND_EMERGENCY);
  request.mutable_fixed_reply()->set_text("Call 112 now");
  const auto accepted = Accept(request);
  EXPECT_EQ(accepted.reply().text(), "Call 112 now");
  EXPECT_EQ(accepted.reply().origin(), v1::REPLY_ORIGIN_GATE);
  EXPECT_EQ(accepted.status(), v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  EXPECT_EQ(database_.Value("select takeover_reason from contacts"), "emergency:chest_pain");
  EXPECT_EQ(database_.Value("select reason from tasks where urgent"), "emergency:chest_pain");
  EXPECT_EQ(Commit(earlier.turn().id(), "10 to 8").state(), v1::TURN_STATE_SKIPPED)
      << "an answer in the making is discarded";
  EXPECT_EQ(Accept(request).reply().id(), accepted.reply().id()) << "a retry gets the same reply";

  request.set_commit_id(NewUuid());
  request.set_whatsapp_message_id("m2");
  const auto repeat = Accept(request);
  EXPECT_FALSE(repeat.has_reply()) << "the same family within thirty minutes";
  EXPECT_EQ(repeat.turn().state(), v1::TURN_STATE_SKIPPED);
  request.set_commit_id(NewUuid());
  request.set_whatsapp_message_id("m3");
  request.mutable_verdict()->set_family("breathing");
  EXPECT_EQ(Accept(request).reply().text(), "Call 112 now") << "another family goes out in takeover, too";
}

TEST_F(ConversationServiceTest, RecordsHumanRequestsAndOptOuts) {
  auto request = Message("STOP", "m1");
  request.mutable_fixed_reply()->set_kind(v1::FIXED_REPLY_KIND_OPT_OUT);
  request.mutable_fixed_reply()->set_text("No more offers.");
  EXPECT_EQ(Accept(request).status(), v1::CONVERSATION_STATUS_ACTIVE);
  EXPECT_EQ(database_.Value<int>("select count(*) from contacts where opted_out_at is not null"), 1);
  EXPECT_EQ(Accept(Message("visiting hours?", "m2")).turn().state(), v1::TURN_STATE_SEALED) << "still answered";
  request = Message("a human please", "m3");
  request.mutable_fixed_reply()->set_kind(v1::FIXED_REPLY_KIND_HUMAN_REQUEST);
  request.mutable_fixed_reply()->set_text("Somebody will be with you.");
  EXPECT_EQ(Accept(request).status(), v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  EXPECT_EQ(database_.Value("select reason from tasks"), "human_request");
}

TEST_F(ConversationServiceTest, SaysNothingWhileTheAssistantIsSwitchedOff) {
  database_.Sql("update medidesk.site set assistant_enabled = false");
  EXPECT_EQ(Accept(Message("hello", "m1")).turn().skip_reason(), v1::SKIP_REASON_KILLED);
  EXPECT_EQ(database_.Value("select reason from tasks"), "assistant_off");
  auto request = Message("chest pain", "m2");
  request.mutable_verdict()->set_family("chest_pain");
  request.mutable_fixed_reply()->set_kind(v1::FIXED_REPLY_KIND_EMERGENCY);
  request.mutable_fixed_reply()->set_text("Call 112 now");
  EXPECT_EQ(Accept(request).reply().text(), "Call 112 now") << "the gate stays on";
}

TEST_F(ConversationServiceTest, SkipsABlockedContact) {
  Accept(Message("hello", "m1"));
  database_.Sql("update contacts set blocked_at = now()");
  EXPECT_EQ(Accept(Message("hello", "m2")).turn().skip_reason(), v1::SKIP_REASON_BLOCKED);
}

TEST_F(ConversationServiceTest, GivesAWhatsAppDuplicateTheTurnOfTheWebhook) {
  const auto accepted = Accept(Message("hello", "m1"));
  database_.Sql(
      "select * from medidesk.accept(gen_random_uuid(), 'wa', (select webhook_number_id from medidesk.site), "
      "'+15550100001', '', '', 'm1', 'hello', null, null, '', '', '', gen_random_uuid(), 5, 20, '')");
  const auto committed = Commit(accepted.turn().id(), "hi");
  EXPECT_TRUE(committed.committed());
  EXPECT_EQ(committed.route(), v1::ROUTE_WHATSAPP);
  EXPECT_EQ(database_.Value("select state from reply_parts"), "queued") << "WhatsApp delivers it";
}

TEST_F(ConversationServiceTest, JoinsWhatsAppMessagesIntoOneOpenTurn) {
  Accept(Message("x", "m0"));
  const std::string accept =
      "select turn_id from medidesk.accept(gen_random_uuid(), 'wa', (select webhook_number_id from "
      "medidesk.site), '+15550100009', '', '', '%', '%', null, null, '', '', '', gen_random_uuid(), 5, 20, '')";
  const auto wa = [&](std::string id, std::string text) {
    std::string sql = accept;
    sql.replace(sql.find("'%'"), 3, "'" + id + "'");
    sql.replace(sql.find("'%'"), 3, "'" + text + "'");
    return database_.Value(sql);
  };
  const std::string turn = wa("w1", "one"), same = wa("w2", "two");
  EXPECT_EQ(turn, same);
  v1::GetTurnRequest request;
  request.set_turn_id(turn);
  request.set_claim_id(NewUuid());
  request.set_seal(true);
  const rpc::Call call = CallWithin(5s);
  const auto sealed = Wait(service_.GetTurn(call, request));
  ASSERT_TRUE(sealed.ok()) << Text(sealed.status());
  EXPECT_THAT(sealed->turn().texts(), ElementsAre("one", "two"));
  EXPECT_NE(wa("w3", "three"), turn) << "a sealed turn never gains a message";
}

TEST_F(ConversationServiceTest, CarriesADashboardsStatusToTheContact) {
  const auto accepted = Accept(Message("hello", "m1"));
  database_.Sql("update conversations set status = 'human_takeover'");
  EXPECT_EQ(database_.Value("select status from contacts"), "human_takeover");
  EXPECT_EQ(Commit(accepted.turn().id(), "late").state(), v1::TURN_STATE_SKIPPED);
  database_.Sql("update conversations set status = 'active'");
  EXPECT_EQ(database_.Value("select status from contacts"), "active");
  EXPECT_THROW(database_.Sql("update conversations set status = 'whatever'"), pqxx::sql_error);
  database_.Sql("update conversations set status = 'archived'");
  EXPECT_EQ(Accept(Message("hello", "m2")).status(), v1::CONVERSATION_STATUS_ACTIVE) << "a message reopens it";
}

TEST_F(ConversationServiceTest, QueuesNothingForABlockedContact) {
  const auto accepted = Accept(Message("hello", "m1"));
  database_.Sql("update numbers set kind = 'whatsapp'");
  v1::QueueOutboundRequest request;
  request.set_commit_id(NewUuid());
  request.set_conversation_id(accepted.turn().conversation_id());
  request.set_text("Your report is ready.");
  const rpc::Call call = CallWithin(5s);
  request.set_origin(v1::REPLY_ORIGIN_SERVICE);
  ASSERT_TRUE(Wait(service_.QueueOutbound(call, request)).ok());
  database_.Sql("update contacts set blocked_at = now()");
  EXPECT_TRUE(Wait(service_.QueueOutbound(call, request))->duplicate()) << "it was queued before";
  for (const v1::ReplyOrigin origin : {v1::REPLY_ORIGIN_SERVICE, v1::REPLY_ORIGIN_STAFF}) {
    request.set_commit_id(NewUuid());
    request.set_origin(origin);
    const absl::Status refused = Wait(service_.QueueOutbound(call, request)).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(rpc::Reason(refused), "BLOCKED");
  }
  EXPECT_EQ(database_.Value("select status from contacts"), "active") << "a refused message takes nothing over";
  EXPECT_EQ(database_.Value("select count(*) from replies"), "1");
}

TEST_F(ConversationServiceTest, QueuesStaffMessagesForALinkedNumber) {
  const auto accepted = Accept(Message("hello", "m1"));
  v1::QueueOutboundRequest request;
  request.set_commit_id(NewUuid());
  request.set_conversation_id(accepted.turn().conversation_id());
  request.set_origin(v1::REPLY_ORIGIN_STAFF);
  request.set_text("This is the front desk.");
  const rpc::Call call = CallWithin(5s);
  EXPECT_EQ(Wait(service_.QueueOutbound(call, request)).status().code(), absl::StatusCode::kFailedPrecondition);
  database_.Sql("update numbers set kind = 'whatsapp'");
  EXPECT_FALSE(Wait(service_.QueueOutbound(call, request))->duplicate());
  EXPECT_TRUE(Wait(service_.QueueOutbound(call, request))->duplicate());
  EXPECT_EQ(database_.Value("select status from contacts"), "human_takeover");

  struct Collect final : rpc::StreamWriter<v1::WatchOutboxResponse> {
    std::vector<v1::OutboxPart> parts;
    asio::awaitable<bool> Write(v1::WatchOutboxResponse message) override {
      parts.push_back(message.part());
      co_return false;
    }
  } collect;
  const v1::WatchOutboxRequest watch;
  EXPECT_TRUE(Wait(service_.WatchOutbox(call, watch, collect)).ok());
  ASSERT_EQ(collect.parts.size(), 1u);
  EXPECT_EQ(collect.parts[0].text(), "This is the front desk.");
  EXPECT_EQ(collect.parts[0].recipient(), "+15550100001");
}

TEST_F(ConversationServiceTest, ListsConversationsAndMessagesInPages) {
  for (int i = 0; i < 7; ++i) {
    const auto turn = Accept(Message("hello", "m", "+1555010000" + std::to_string(i))).turn();
    Commit(turn.id(), "hi");
  }
  const rpc::Call call = CallWithin(10s);
  v1::ListConversationsRequest list;
  list.set_page_size(3);
  std::set<std::string> seen;
  int pages = 0;
  do {
    const auto page = Wait(service_.ListConversations(call, list));
    ASSERT_TRUE(page.ok()) << Text(page.status());
    for (const auto& conversation : page->conversations()) EXPECT_TRUE(seen.insert(conversation.id()).second);
    list.set_page_token(page->next_page_token());
  } while (!list.page_token().empty() && ++pages < 10);
  EXPECT_EQ(seen.size(), 7u);
  list.set_page_token("");
  list.set_phone("+1 555 010-0003");
  const auto found = Wait(service_.ListConversations(call, list));
  ASSERT_EQ(found->conversations_size(), 1);
  v1::ListMessagesRequest messages;
  messages.set_conversation_id(found->conversations(0).id());
  messages.set_page_size(1);
  const auto newest = Wait(service_.ListMessages(call, messages));
  ASSERT_EQ(newest->messages_size(), 1);
  EXPECT_EQ(newest->messages(0).text(), "hi");
  EXPECT_EQ(newest->messages(0).part_state(), v1::PART_STATE_RETURNED);
  messages.set_page_token(newest->next_page_token());
  EXPECT_EQ(Wait(service_.ListMessages(call, messages))->messages(0).text(), "hello");
}

TEST_F(ConversationServiceTest, UpdatesOnlyTheVersionThatWasRead) {
  const auto accepted = Accept(Message("hello", "m1"));
  const rpc::Call call = CallWithin(5s);
  v1::GetConversationRequest get;
  get.set_conversation_id(accepted.turn().conversation_id());
  const auto before = Wait(service_.GetConversation(call, get));
  v1::UpdateConversationRequest update;
  update.set_conversation_id(get.conversation_id());
  update.set_patient_name("Asha");
  update.set_etag(before->conversation().etag());
  EXPECT_EQ(Wait(service_.UpdateConversation(call, update))->conversation().patient_name(), "Asha");
  EXPECT_EQ(Wait(service_.UpdateConversation(call, update)).status().code(), absl::StatusCode::kAborted);
  update.set_conversation_id(NewUuid());
  EXPECT_EQ(Wait(service_.UpdateConversation(call, update)).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ConversationServiceTest, RefusesMalformedRequestsAndChangesNothing) {
  const auto refused = [&](auto change) {
    auto request = Message("hello", "m1");
    change(request);
    return TryAccept(request).status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](auto& r) { r.set_commit_id("no-uuid"); }));
  EXPECT_TRUE(refused([](auto& r) { r.set_phone("12"); }));
  EXPECT_TRUE(refused([](auto& r) { r.set_text(""); }));
  EXPECT_TRUE(refused([](auto& r) { r.set_route(v1::ROUTE_WHATSAPP); }));
  EXPECT_TRUE(refused([](auto& r) { r.set_route(static_cast<v1::Route>(99)); }));
  EXPECT_TRUE(refused([](auto& r) { r.set_whatsapp_message_id(std::string(257, 'x')); }));
  EXPECT_TRUE(refused([](auto& r) { r.set_history_limit(-1); }));
  EXPECT_TRUE(refused([](auto& r) { r.mutable_fixed_reply()->set_text("x"); }));
  EXPECT_EQ(TryCommit(NewUuid(), "x").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(TryCommit("x", "x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(database_.Value<int>("select count(*) from messages"), 0);
}

TEST_F(ConversationServiceTest, StoresWhatPostgresWouldRefuse) {
  auto request = Message(std::string("a\0b\xff", 4), "m1");
  EXPECT_FALSE(Accept(request).duplicate());
  request = Message(std::string(200'000, 'x'), "m2");
  Commit(Accept(Message("y", "m3")).turn().id(), "z");
  EXPECT_FALSE(Accept(request).duplicate());
  EXPECT_LE(database_.Value<int>("select max(octet_length(content)) from messages"), 65'536);
}

TEST_F(ConversationServiceTest, OpensOneTaskForAnUnansweredTurn) {
  Accept(Message("hello", "m1"));
  database_.Sql(
      "update turns set opened_at = now() - interval '2 minutes', claim_until = now() - interval '90 seconds'");
  EXPECT_EQ(database_.Value<int>("select medidesk.sweep_turns()"), 1);
  EXPECT_EQ(database_.Value<int>("select medidesk.sweep_turns()"), 0);
  EXPECT_EQ(database_.Value("select reason from tasks"), "unanswered");
  EXPECT_TRUE(Accept(Message("hello", "m1")).turn().has_claim_expire_time()) << "answerable by a repeat of its id";
}

TEST_F(ConversationServiceTest, ChainsTheAuditLogAndNoticesAChange) {
  for (int i = 0; i < 5; ++i) {
    Commit(Accept(Message("secret words", "m" + std::to_string(i))).turn().id(), "hi");
    // A seal ends where the oldest transaction of the cluster began, and other tests use the cluster, too.
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    do {
      database_.Sql("select medidesk.seal_audit()");
    } while (database_.Value<int>("select unsealed_rows from medidesk.verify_audit()") > 0 &&
             std::chrono::steady_clock::now() < deadline);
  }
  EXPECT_EQ(database_.Value<int>("select sealed_rows from medidesk.verify_audit()"), 10);
  EXPECT_EQ(database_.Value("select broken_seq from medidesk.verify_audit()"), "");
  EXPECT_EQ(database_.Value<int>("select count(*) from audit_log a where a::text like '%secret words%'"), 0);
  EXPECT_THROW(database_.Sql("update audit_log set actor = 'x'"), pqxx::sql_error);
  EXPECT_THROW(database_.Sql("delete from audit_log"), pqxx::sql_error);
  database_.Sql("alter table audit_log disable trigger audit_log_frozen");
  database_.Sql("update audit_log set actor = 'x' where id = 5");
  EXPECT_GT(database_.Value<int>("select broken_seq from medidesk.verify_audit()"), 0);
}

TEST_F(ConversationServiceTest, SurvivesAConnectionThatIsCut) {
  Accept(Message("hello", "m1"));
  database_.Admin("select pg_terminate_backend(pid) from pg_stat_activity where datname = '" + database_.name() + "'");
  EXPECT_FALSE(Accept(Message("hello", "m2")).duplicate());
}

}  // namespace
}  // namespace medidesk::store
