// One message from its arrival to its committed reply, over a store and a model that fail.
#include "assistant/service/turn_flow.h"

#include <gmock/gmock.h>
#include <prometheus/text_serializer.h>

#include "assistant/service/testing/assistant_fixture.h"

namespace medidesk::assistant::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kRedFlag = "I have crushing chest pain and cannot breathe";

class TurnFlowTest : public AssistantFixture {
 protected:
  std::string Metrics() { return prometheus::TextSerializer().Serialize(registry_.Collect()); }
};

TEST_F(TurnFlowTest, AnswersWithWhatTheStoreCommitted) {
  const auto reply = Reply("when may I visit?");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text(), "Visiting hours are 10 to 20.");
  EXPECT_EQ(reply->source(), "model-x");
  EXPECT_EQ(reply->origin(), store::v1::REPLY_ORIGIN_BOT);
  EXPECT_EQ(reply->status(), store::v1::CONVERSATION_STATUS_ACTIVE);
  EXPECT_FALSE(reply->duplicate());
  const auto row = OnlyTurn();
  EXPECT_EQ(row.reply.id(), reply->reply_id());
  EXPECT_EQ(row.turn.id(), reply->turn_id());
  EXPECT_EQ(row.source, "model-x");
  EXPECT_EQ(row.turn.verdict().severity(), "none");
  EXPECT_THAT(Metrics(), HasSubstr("medidesk_assistant_turns_total{outcome=\"model\",route=\"webhook\"} 1"));
}

TEST_F(TurnFlowTest, GivesTheModelHistoryAndTurn) {
  conversations_.AddHistory(false, "hello");
  conversations_.AddHistory(true, "How can I help?");
  ASSERT_TRUE(Reply("when may I visit?").ok());
  ASSERT_EQ(claude_.requests().size(), 1u);
  const claude::Request request = claude_.requests()[0];
  ASSERT_EQ(request.messages.size(), 3u);
  EXPECT_EQ(claude::JoinedText(request.messages[2].content), "when may I visit?");
  EXPECT_THAT(request.system[0].text, HasSubstr("Hill Clinic"));
}

TEST_F(TurnFlowTest, AnswersAWhatsAppTurn) {
  const std::string turn = conversations_.AddWhatsAppTurn("is there parking?");
  const auto reply = ReplyToTurn(turn);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text(), "Visiting hours are 10 to 20.");
  EXPECT_EQ(reply->turn_id(), turn);
  EXPECT_FALSE(reply->duplicate());
  EXPECT_EQ(ReplyToTurn(NewUuid()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(TurnFlowTest, RepeatsAnAcceptThatWasRefusedOrWhoseAnswerWasLost) {
  conversations_.refuse_accepts = 2;
  conversations_.lose_accepts = 1;
  const auto reply = Reply("when may I visit?");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_FALSE(reply->duplicate()) << "the same commit id is the same message";
  EXPECT_EQ(reply->text(), "Visiting hours are 10 to 20.");
  EXPECT_EQ(conversations_.accepts, 4);
  EXPECT_EQ(OnlyTurn().replies, 1);
}

TEST_F(TurnFlowTest, RepeatsACommitThatWasRefusedOrWhoseAnswerWasLost) {
  conversations_.refuse_commits = 1;
  conversations_.lose_commits = 2;
  const auto reply = Reply("when may I visit?");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text(), "Visiting hours are 10 to 20.");
  EXPECT_EQ(reply->source(), "model-x") << "our own commit won, at its first try";
  EXPECT_EQ(conversations_.commits, 4);
  EXPECT_EQ(OnlyTurn().replies, 1);
  EXPECT_EQ(claude_.asked, 1) << "the answer is made once";
}

TEST_F(TurnFlowTest, GivesTheSameReplyToARepeatedMessage) {
  const auto first = Reply("when may I visit?", "m1");
  claude_.Say({"Something else."});
  const auto again = Reply("when may I visit?", "m1");
  ASSERT_TRUE(first.ok() && again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate());
  EXPECT_EQ(again->text(), first->text());
  EXPECT_EQ(again->reply_id(), first->reply_id());
  EXPECT_EQ(claude_.asked, 1);
}

TEST_F(TurnFlowTest, WaitsForTheReplyThatAnotherCallIsMaking) {
  claude_.wait = true;
  auto first = Spawn(service_.Reply(CallFor(), Ask("when may I visit?", "m1")));
  ASSERT_TRUE(Eventually([&] { return claude_.asked == 1; }));
  auto again = Spawn(service_.Reply(CallFor(), Ask("when may I visit?", "m1")));
  ASSERT_TRUE(Eventually([&] { return conversations_.gets >= 1; }));
  claude_.wait = false;
  const auto one = first.get(), other = again.get();
  ASSERT_TRUE(one.ok() && other.ok()) << one.status() << other.status();
  EXPECT_FALSE(one->duplicate());
  EXPECT_TRUE(other->duplicate());
  EXPECT_EQ(one->reply_id(), other->reply_id());
  EXPECT_EQ(claude_.asked, 1);
  EXPECT_EQ(OnlyTurn().replies, 1);
}

TEST_F(TurnFlowTest, AnswersADuplicateWhoseFirstCallerDied) {
  claude_.wait = true;
  auto dead = Spawn(service_.Reply(CallFor(), Ask("when may I visit?", "m1")));
  ASSERT_TRUE(Eventually([&] { return claude_.asked == 1; }));
  // Its claim lapses: another holds it from now on, and for a moment only.
  conversations_.ClaimByAnother(OnlyTurn().turn.id(), 50ms);
  auto second = Spawn(service_.Reply(CallFor(), Ask("when may I visit?", "m1")));
  ASSERT_TRUE(Eventually([&] { return claude_.asked == 2; }));
  claude_.wait = false;
  const auto one = dead.get(), other = second.get();
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_EQ(one->reply_id(), other->reply_id()) << "the first commit wins, everybody gets it";
  EXPECT_EQ(OnlyTurn().replies, 1);
}

TEST_F(TurnFlowTest, SaysAbortedWhileAnotherHoldsTheTurn) {
  const std::string turn = conversations_.AddWhatsAppTurn("is there parking?");
  conversations_.ClaimByAnother(turn, 1min);
  EXPECT_EQ(ReplyToTurn(turn, 1500ms).status().code(), absl::StatusCode::kAborted);
  conversations_.late = true;
  EXPECT_EQ(ReplyToTurn(turn, 1500ms).status().code(), absl::StatusCode::kAborted) << "whose clock ends the wait";
  EXPECT_EQ(claude_.asked, 0);
}

TEST_F(TurnFlowTest, SaysNothingInATakeover) {
  conversations_.taken_over = true;
  const auto reply = Reply("when may I visit?");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_FALSE(reply->has_text());
  EXPECT_EQ(reply->status(), store::v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  EXPECT_EQ(claude_.asked, 0);
  EXPECT_EQ(conversations_.commits, 0);
}

TEST_F(TurnFlowTest, SaysNothingWhenStaffTakesOverMeanwhile) {
  claude_.wait = true;
  auto pending = Spawn(service_.Reply(CallFor(), Ask("when may I visit?")));
  ASSERT_TRUE(Eventually([&] { return claude_.asked == 1; }));
  conversations_.taken_over = true;
  claude_.wait = false;
  const auto reply = pending.get();
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_FALSE(reply->has_text());
  EXPECT_THAT(reply->reply_id(), IsEmpty());
  EXPECT_EQ(reply->status(), store::v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  EXPECT_THAT(Metrics(), HasSubstr("outcome=\"skipped\",route=\"webhook\"} 1"));
}

TEST_F(TurnFlowTest, GivesTheGatesTextWithoutAskingTheModel) {
  const auto reply = Reply(kRedFlag);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->origin(), store::v1::REPLY_ORIGIN_GATE);
  EXPECT_EQ(reply->source(), "gate");
  EXPECT_THAT(reply->text(), HasSubstr("112"));
  EXPECT_EQ(reply->status(), store::v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  EXPECT_EQ(claude_.asked, 0);
  EXPECT_EQ(OnlyTurn().turn.verdict().severity(), "emergency");
}

TEST_F(TurnFlowTest, HandsOverToAPersonOnRequest) {
  const auto reply = Reply("I want to talk to a real person");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->origin(), store::v1::REPLY_ORIGIN_GATE);
  EXPECT_TRUE(reply->has_text());
  EXPECT_EQ(claude_.asked, 0);
}

TEST_F(TurnFlowTest, LeavesTheTextToWhatsAppWhenItDeliveredTheMessageToo) {
  conversations_.moves_to_wa = true;
  const auto reply = Reply("when may I visit?");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_FALSE(reply->has_text());
  EXPECT_TRUE(reply->duplicate());
  EXPECT_EQ(OnlyTurn().replies, 1);
}

TEST_F(TurnFlowTest, AnswersARedFlagUnstoredWhileTheStoreIsDown) {
  conversations_.down = true;
  const auto start = std::chrono::steady_clock::now();
  const auto reply = Reply(kRedFlag);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s) << "its patience, not the whole budget of 20 s";
  EXPECT_THAT(reply->text(), HasSubstr("112"));
  EXPECT_THAT(reply->text(), ::testing::Not(HasSubstr("alerted"))) << "nobody was told";
  EXPECT_EQ(reply->origin(), store::v1::REPLY_ORIGIN_GATE);
  EXPECT_THAT(reply->conversation_id(), IsEmpty());
  EXPECT_GT(conversations_.accepts, 1) << "it was tried";
  EXPECT_THAT(Metrics(), HasSubstr("medidesk_assistant_unstored_emergencies_total 1"));
}

TEST_F(TurnFlowTest, AnswersARedFlagUnstoredWhileTheStoreIsFull) {
  conversations_.full = true;
  const auto reply = Reply(kRedFlag);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_THAT(reply->text(), HasSubstr("112"));
}

TEST_F(TurnFlowTest, SaysUnavailableWhileTheStoreIsDown) {
  conversations_.down = true;
  EXPECT_EQ(Reply("when may I visit?", "m1", 1000ms).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(claude_.asked, 0);
  conversations_.down = false;
  conversations_.full = true;
  EXPECT_EQ(Reply("when may I visit?", "m1").status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(TurnFlowTest, RenewsItsClaimUntilItHasCommitted) {
  claude_.wait = true;
  auto first = Spawn(service_.Reply(CallFor(), Ask("when may I visit?", "m1")));
  ASSERT_TRUE(Eventually([&] { return conversations_.renewals >= 3; }));
  claude_.wait = false;
  ASSERT_TRUE(first.get().ok());
  // While a second turn renews three times and more, the first is left alone.
  const int before = conversations_.renewals;
  claude_.wait = true;
  auto second = Spawn(service_.Reply(CallFor(), Ask("is there parking?", "m2")));
  ASSERT_TRUE(Eventually([&] { return conversations_.renewals >= before + 5; }));
  claude_.wait = false;
  ASSERT_TRUE(second.get().ok());
  for (const auto& row : conversations_.turns()) EXPECT_LE(row.late_renewals, 1) << "one may have been on its way";
}

TEST_F(TurnFlowTest, AnswersFromFactsWhenTheModelFails) {
  claude_.Fail(Error(absl::StatusCode::kUnavailable, "overloaded"));
  const auto reply = Reply("Is there parking?");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_THAT(reply->text(), HasSubstr("The first hour is free."));
  EXPECT_EQ(reply->source(), "facts");
  EXPECT_THAT(OnlyTurn().task_reason, IsEmpty());
}

TEST_F(TurnFlowTest, ApologisesWithATaskWhenNeitherModelNorFactsAnswer) {
  claude_.Fail(Error(absl::StatusCode::kUnavailable, "overloaded"));
  const auto reply = Reply("Does the cafeteria sell gluten free sandwiches?");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->source(), "apology");
  EXPECT_EQ(OnlyTurn().task_reason, "no_answer");
  EXPECT_EQ(OnlyTurn().reply.text(), reply->text());
  EXPECT_FALSE(reply->text().empty());
}

TEST_F(TurnFlowTest, SendsNothingThatAnOutputCheckStops) {
  for (const char* bad :
       {"I have booked your appointment.", "Take 500 mg of paracetamol.", "See https://evil.example"}) {
    claude_.Say({bad});
    const auto reply = Reply("Is there parking?");
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->source(), "facts") << bad;
    EXPECT_THAT(reply->text(), HasSubstr("The first hour is free."));
  }
  // The draft and its one corrected try.
  EXPECT_THAT(Metrics(), AllOf(HasSubstr("checks_failed_total{rule=\"claimed_action\"} 2"),
                               HasSubstr("checks_failed_total{rule=\"dose\"} 2"),
                               HasSubstr("checks_failed_total{rule=\"link\"} 2")));
}

TEST_F(TurnFlowTest, StreamsCheckedSentencesAndEndsWithWhatWasCommitted) {
  claude_.Say({"We op", "en at 10.", "30. The ward", " closes at 20.\nSee you", " soon!"});
  StreamLog log;
  ASSERT_TRUE(Stream("when may I visit?", log).ok());
  EXPECT_THAT(log.deltas, ElementsAre("We open at 10.30.", " The ward closes at 20.", "\nSee you soon!"));
  EXPECT_EQ(log.results, 1);
  EXPECT_EQ(log.result.text(), "We open at 10.30. The ward closes at 20.\nSee you soon!");
  EXPECT_EQ(log.Joined(), log.result.text());
  EXPECT_EQ(OnlyTurn().reply.text(), log.result.text());
}

TEST_F(TurnFlowTest, EndsTheDeltasAtAStoppedSentenceAndFallsBack) {
  claude_.Say({"Parking is in the basement. ", "I have booked a place for you. ", "Anything else? ", "Bye."});
  StreamLog log;
  ASSERT_TRUE(Stream("Is there parking?", log).ok());
  EXPECT_THAT(log.deltas, ElementsAre("Parking is in the basement."));
  EXPECT_EQ(log.result.source(), "facts");
  EXPECT_THAT(log.result.text(), HasSubstr("The first hour is free."));
  EXPECT_EQ(OnlyTurn().reply.text(), log.result.text());
  EXPECT_LT(claude_.told, 4 + 4) << "the model's stream is ended; the corrected try is not streamed";
}

TEST_F(TurnFlowTest, EndsAStreamWhoseLastSentenceIsStopped) {
  claude_.Say({"Parking is in the basement. I have booked a place for you"});
  StreamLog log;
  ASSERT_TRUE(Stream("Is there parking?", log).ok());
  EXPECT_THAT(log.deltas, ElementsAre("Parking is in the basement."));
  EXPECT_EQ(log.result.source(), "facts");
}

TEST_F(TurnFlowTest, StreamsAGatesTextAsTheResultAlone) {
  StreamLog log;
  ASSERT_TRUE(Stream(kRedFlag, log).ok());
  EXPECT_THAT(log.deltas, IsEmpty());
  EXPECT_THAT(log.result.text(), HasSubstr("112"));
}

}  // namespace
}  // namespace medidesk::assistant::testing
