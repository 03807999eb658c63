// Several accepts or replies at once must mean what they mean one by one.
#include "store/turn_calls.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <deque>
#include <future>

#include "base/uuid.h"
#include "store/testing/test_database.h"

namespace medidesk::store {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class TurnCallsTest : public ::testing::Test {
 protected:
  TurnCallsTest()
      : connection_(OpenConnection(Phi(database_.url()), "medidesk_service", 10s)),
        number_(database_.Value("select medidesk.webhook_number('')")) {}

  AcceptCall Message(const std::string& phone, const std::string& text, const std::string& message_id = "") {
    AcceptCall call;
    call.commit_id = NewUuid();
    call.route = v1::ROUTE_WEBHOOK;
    call.number_id = number_;
    call.phone = phone;
    call.message_id = message_id;
    call.text = text;
    call.verdict = &verdict_;
    call.history_limit = 20;
    return call;
  }
  // Runs the calls together, then one by one what was left undone, as the batcher does; gives the number of those.
  template <class Call>
  std::size_t Run(std::vector<Call*> calls) {
    std::deque<TurnCall> all;
    for (Call* call : calls) all.emplace_back(std::move(*call));
    std::vector<TurnCall*> pointers;
    for (TurnCall& call : all) pointers.push_back(&call);
    const std::vector<TurnCall*> undone = RunTurnCalls(*connection_, pointers, 5s);
    for (TurnCall* call : undone) RunTurnCalls(*connection_, std::vector{call}, 5s);
    for (std::size_t i = 0; i < calls.size(); ++i) *calls[i] = std::get<Call>(std::move(all[i]));
    return undone.size();
  }
  std::size_t Accept(std::vector<AcceptCall*> calls) { return Run(std::move(calls)); }
  std::size_t Commit(std::vector<CommitCall*> calls) { return Run(std::move(calls)); }
  // A contact that has written and was answered.
  std::string Known(const std::string& phone) {
    AcceptCall call = Message(phone, "hello");
    Accept({&call});
    CommitCall reply = Reply(call, "welcome");
    Commit({&reply});
    return call.outcome.turn.conversation_id();
  }
  static CommitCall Reply(const AcceptCall& accepted, const std::string& text) {
    CommitCall call;
    call.turn_id = accepted.outcome.turn.id();
    call.commit_id = NewUuid();
    call.origin = v1::REPLY_ORIGIN_BOT;
    call.source = "test";
    call.text = text;
    return call;
  }
  int Count(const std::string& from) { return database_.Value<int>("select count(*) from " + from); }

  testing::TestDatabase database_;
  std::unique_ptr<pqxx::connection> connection_;
  const std::string number_;
  v1::Verdict verdict_ = [] {
    v1::Verdict verdict;
    verdict.set_severity("none");
    verdict.set_table_version("7");
    return verdict;
  }();
};

TEST_F(TurnCallsTest, AcceptsSeveralMessagesInOneTransaction) {
  const std::string odd = "a \"quoted\" \\ text, {with} NULL\nand \xD8\xB3\xD9\x84\xD8\xA7\xD9\x85";
  Known("+15550100001");
  Known("+15550100002");
  Known("+15550100003");
  AcceptCall one = Message("+15550100001", odd, "ID \"1\""), two = Message("+15550100002", ""),
             three = Message("+15550100003", "NULL");
  two.trace_id = "0af7651916cd43dd8448eb211c80319c";
  three.time = "1764000000.250000000";
  EXPECT_EQ(Accept({&one, &two, &three}), 0u);

  EXPECT_EQ(database_.Value("select content from messages where id = '" + one.commit_id + "'"), odd);
  EXPECT_EQ(database_.Value("select whatsapp_message_id from messages where id = '" + one.commit_id + "'"), "ID \"1\"");
  EXPECT_EQ(database_.Value("select whatsapp_message_id from messages where id = '" + two.commit_id + "'"),
            "gen:" + two.commit_id);
  EXPECT_EQ(database_.Value("select trace_id from turns where id = '" + two.commit_id + "'"), two.trace_id);
  EXPECT_EQ(database_.Value<double>("select extract(epoch from message_at) from messages where id = '" +
                                    three.commit_id + "'"),
            1764000000.25);
  EXPECT_EQ(Count("(select distinct xmin::text from messages where content <> 'hello' and content <> 'welcome') x"), 1);
  EXPECT_EQ(Count("audit_log where action = 'message_accepted' and content_mac is not null"), 6);
  EXPECT_EQ(one.outcome.turn.history_size(), 2);
  EXPECT_FALSE(one.outcome.turn.first_contact());
  EXPECT_THAT(one.outcome.turn.texts(), ElementsAre(odd));
}

TEST_F(TurnCallsTest, SaysOfSeveralWhatItSaysOfOne) {
  Known("+15550100001");
  Known("+15550100002");
  Known("+15550100003");
  AcceptCall alone = Message("+15550100001", "same"), first = Message("+15550100002", "same"),
             second = Message("+15550100003", "same");
  Accept({&alone});
  Accept({&first, &second});
  const auto plain = [](TurnOutcome outcome) {
    for (auto* id :
         {outcome.turn.mutable_id(), outcome.turn.mutable_conversation_id(), outcome.turn.mutable_contact_id()}) {
      EXPECT_FALSE(id->empty());
      id->clear();
    }
    EXPECT_TRUE(outcome.turn.has_claim_expire_time());
    outcome.turn.clear_claim_expire_time();
    for (auto& message : *outcome.turn.mutable_history()) message.clear_create_time();
    outcome.turn.clear_patient_phones();
    return outcome.turn.ShortDebugString() + v1::ConversationStatus_Name(outcome.status);
  };
  EXPECT_EQ(plain(first.outcome), plain(alone.outcome));
  EXPECT_EQ(plain(second.outcome), plain(alone.outcome));

  CommitCall a = Reply(alone, "answer"), b = Reply(first, "answer"), c = Reply(second, "answer");
  Commit({&a});
  EXPECT_EQ(Commit({&b, &c}), 0u);
  for (CommitCall* call : {&a, &b, &c}) {
    ASSERT_TRUE(call->response.has_value());
    EXPECT_EQ(call->response->reply().id(), call->commit_id);
    call->response->mutable_reply()->clear_id();
  }
  EXPECT_EQ(b.response->ShortDebugString(), a.response->ShortDebugString());
  EXPECT_EQ(c.response->ShortDebugString(), a.response->ShortDebugString());
  const std::string shape =
      "select string_agg(distinct concat_ws('|', t.state, t.claim_until is null, r.origin, r.source, m.sender, "
      "m.direction, m.from_me, "
      "m.content, r.returned_at is not null), ';') from turns t join replies r on r.turn_id = t.id join messages m on "
      "m.id = r.id "
      "where m.content = 'answer'";
  EXPECT_EQ(database_.Value(shape), "answered|t|bot|test|assistant|sent|t|answer|t");
  EXPECT_EQ(Count("audit_log where action = 'reply_committed' and content_mac is not null"), 6);
}

TEST_F(TurnCallsTest, SendsEverythingElseTheLongWay) {
  const std::string takeover = Known("+15550100001");
  Known("+15550100002");
  Known("+15550100003");
  Known("+15550100004");
  Known("+15550100005");
  database_.Sql("select medidesk.set_takeover('" + takeover + "', true, null, 'staff', '')");
  database_.Sql("update contacts set blocked_at = now() where phone = '+15550100002'");
  AcceptCall before = Message("+15550100003", "seen", "M1");
  Accept({&before});
  AcceptCall taken = Message("+15550100001", "t"), blocked = Message("+15550100002", "b"),
             duplicate = Message("+15550100003", "seen", "M1"), fresh = Message("+15550100009", "new"),
             named = Message("+15550100004", "named"), plain = Message("+15550100005", "plain");
  named.name = "Ann";
  EXPECT_EQ(Accept({&taken, &blocked, &duplicate, &fresh, &named, &plain}), 5u);
  EXPECT_EQ(taken.outcome.turn.skip_reason(), v1::SKIP_REASON_TAKEOVER);
  EXPECT_EQ(blocked.outcome.turn.skip_reason(), v1::SKIP_REASON_BLOCKED);
  EXPECT_TRUE(duplicate.outcome.duplicate);
  EXPECT_EQ(duplicate.outcome.turn.id(), before.commit_id);
  EXPECT_TRUE(fresh.outcome.turn.first_contact());
  EXPECT_EQ(database_.Value("select patient_name from conversations where phone = '+15550100004'"), "Ann");
  EXPECT_TRUE(plain.outcome.turn.has_claim_expire_time());
  EXPECT_EQ(Count("messages where whatsapp_message_id = 'M1'"), 1);
}

TEST_F(TurnCallsTest, BringsWhatIsKnownOfWhoIsWriting) {
  for (const char* phone : {"+15550100001", "+15550100002"}) {
    Known(phone);
    database_.Sql("update conversations set patient_name = 'Zoé: Q' where phone = '" + std::string(phone) + "'");
    database_.Sql("update contacts set name = 'Pushed' where phone = '" + std::string(phone) + "'");
    database_.Sql("with p as (insert into patients (name, phone) values ('Zoé Quill', '+1555" +
                  std::string(phone).substr(5) +
                  "9'), ('Her Child', null) returning id) insert into patient_contacts (patient_id, "
                  "contact_id) select p.id, c.id from p, contacts c where c.phone = '" +
                  std::string(phone) + "'");
  }
  Known("+15550100003");
  AcceptCall one = Message("+15550100001", "a"), two = Message("+15550100002", "b"),
             bare = Message("+15550100003", "c");
  EXPECT_EQ(Accept({&one, &two, &bare}), 0u);
  const auto check = [](const v1::Turn& turn, const std::string& phone) {
    EXPECT_THAT(turn.patient_names(), UnorderedElementsAre("Zoé: Q", "Pushed", "Zoé Quill", "Her Child"));
    EXPECT_THAT(turn.patient_phones(), UnorderedElementsAre(phone, "+1555" + phone.substr(5) + "9"));
    EXPECT_EQ(turn.history_size(), 2);
    EXPECT_FALSE(turn.first_contact());
  };
  check(one.outcome.turn, "+15550100001");
  check(two.outcome.turn, "+15550100002");
  EXPECT_THAT(bare.outcome.turn.patient_names(), IsEmpty());
  EXPECT_THAT(bare.outcome.turn.patient_phones(), ElementsAre("+15550100003"));
  CommitCall done = Reply(one, "x");
  Commit({&done});
  AcceptCall alone = Message("+15550100001", "d");
  Accept({&alone});
  EXPECT_THAT(alone.outcome.turn.patient_names(), UnorderedElementsAre("Zoé: Q", "Pushed", "Zoé Quill", "Her Child"));
  EXPECT_EQ(alone.outcome.turn.history_size(), 4);
  AcceptCall fresh = Message("+15550100009", "new");
  Accept({&fresh});
  EXPECT_TRUE(fresh.outcome.turn.first_contact());
  EXPECT_THAT(fresh.outcome.turn.patient_phones(), ElementsAre("+15550100009"));
}

TEST_F(TurnCallsTest, GivesNoClaimWhileAnEarlierTurnIsBeingAnswered) {
  Known("+15550100001");
  Known("+15550100002");
  AcceptCall earlier = Message("+15550100001", "one");
  Accept({&earlier});
  AcceptCall later = Message("+15550100001", "two"), other = Message("+15550100002", "three");
  Accept({&later, &other});
  EXPECT_EQ(later.outcome.turn.state(), v1::TURN_STATE_SEALED);
  EXPECT_FALSE(later.outcome.turn.has_claim_expire_time());
  EXPECT_TRUE(other.outcome.turn.has_claim_expire_time());
}

TEST_F(TurnCallsTest, GivesTheFirstOutcomeWhenABatchIsRepeated) {
  Known("+15550100001");
  Known("+15550100002");
  AcceptCall one = Message("+15550100001", "1"), two = Message("+15550100002", "2");
  Accept({&one, &two});
  Accept({&one, &two});
  EXPECT_FALSE(one.outcome.duplicate);
  EXPECT_TRUE(one.outcome.turn.has_claim_expire_time()) << "the same caller keeps its claim";
  EXPECT_EQ(Count("messages where content in ('1', '2')"), 2);
  CommitCall a = Reply(one, "a"), b = Reply(two, "b");
  Commit({&a, &b});
  Commit({&a, &b});
  EXPECT_TRUE(a.response->committed());
  EXPECT_EQ(b.response->reply().text(), "b");
  EXPECT_EQ(Count("replies where source = 'test' and turn_id in ('" + one.commit_id + "', '" + two.commit_id + "')"),
            2);
}

TEST_F(TurnCallsTest, KeepsBackRepliesAfterATakeover) {
  const std::string taken = Known("+15550100001");
  Known("+15550100002");
  Known("+15550100003");
  AcceptCall one = Message("+15550100001", "1"), two = Message("+15550100002", "2"),
             three = Message("+15550100003", "3");
  Accept({&one, &two, &three});
  database_.Sql("select medidesk.set_takeover('" + taken + "', true, null, 'staff', '')");
  CommitCall late = Reply(one, "late"), good = Reply(two, "good"), task = Reply(three, "sorry"),
             unknown = Reply(two, "x");
  task.task_reason = "no_answer";
  unknown.turn_id = NewUuid();
  EXPECT_EQ(Commit({&late, &good, &task, &unknown}), 3u);
  EXPECT_FALSE(late.response->committed());
  EXPECT_EQ(late.response->skip_reason(), v1::SKIP_REASON_TAKEOVER);
  EXPECT_TRUE(good.response->committed());
  EXPECT_TRUE(task.response->committed());
  EXPECT_EQ(Count("tasks where reason = 'no_answer'"), 1);
  EXPECT_FALSE(unknown.response.has_value());
  EXPECT_EQ(Count("messages where content = 'late'"), 0);
}

TEST_F(TurnCallsTest, CommitsRepliesBeforeItAcceptsMessages) {
  Known("+15550100001");
  AcceptCall question = Message("+15550100001", "one");
  Accept({&question});
  std::deque<TurnCall> calls;
  calls.emplace_back(Message("+15550100001", "two"));
  calls.emplace_back(Reply(question, "answer one"));
  EXPECT_TRUE(RunTurnCalls(*connection_, std::vector{&calls[0], &calls[1]}, 5s).empty());
  const v1::Turn& turn = std::get<AcceptCall>(calls[0]).outcome.turn;
  EXPECT_TRUE(turn.has_claim_expire_time()) << "the earlier turn is answered";
  ASSERT_EQ(turn.history_size(), 4);
  EXPECT_EQ(turn.history(3).text(), "answer one");
}

TEST_F(TurnCallsTest, LeavesWhatSomebodyHasLocked) {
  const std::string locked = Known("+15550100001");
  Known("+15550100002");
  Known("+15550100003");
  pqxx::connection other(database_.url());
  pqxx::work holder(other);
  holder.exec("select 1 from conversations where id = '" + locked + "' for update");
  std::deque<TurnCall> calls;
  std::vector<TurnCall*> pointers;
  for (const char* phone : {"+15550100001", "+15550100002", "+15550100003"})
    pointers.push_back(&calls.emplace_back(Message(phone, "hello")));
  EXPECT_THAT(RunTurnCalls(*connection_, pointers, 5s), ElementsAre(&calls[0])) << "without waiting";
}

}  // namespace
}  // namespace medidesk::store
