#include "assistant/service/rule_answer.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "assistant/service/spend_meter.h"
#include "assistant/service/testing/assistant_fixture.h"

namespace medidesk::assistant::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class RuleAnswerTest : public AssistantFixture {
 protected:
  std::string Fixed(safety::FixedKind kind) { return texts_.Fixed(kind, "en", facts_.Current()->contacts); }
};

TEST_F(RuleAnswerTest, HandsAComplaintOverAndTellsStaffWhy) {
  const auto reply = Reply("your nurse was rude to me, I want to file a complaint");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_THAT(reply->text(), StartsWith("A member of our staff will take over"));
  EXPECT_EQ(reply->status(), store::v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  EXPECT_EQ(reply->origin(), store::v1::REPLY_ORIGIN_GATE) << "a bot's part would be dropped in takeover";
  EXPECT_EQ(OnlyTurn().task_reason, "handover:complaint");
  EXPECT_THAT(conversations_.takeovers(), ElementsAre("handover:complaint"));
  EXPECT_EQ(claude_.asked, 0);
}

TEST_F(RuleAnswerTest, StopsWritingToAWrongNumber) {
  const auto reply = Reply("wrong number, I keep getting someone's results");
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->text(), Fixed(safety::FixedKind::kWrongNumber));
  EXPECT_EQ(OnlyTurn().task_reason, "wrong_number");
  EXPECT_THAT(conversations_.takeovers(), ElementsAre("wrong_number"));
}

TEST_F(RuleAnswerTest, SaysNeitherYesNorNoAboutAThirdPerson) {
  const auto reply = Reply("is Mrs Fernandes admitted there?");
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->text(), Fixed(safety::FixedKind::kPrivate));
  EXPECT_THAT(conversations_.takeovers(), IsEmpty());
}

TEST_F(RuleAnswerTest, JudgesNoResultAndGivesNoDose) {
  for (const char* text : {"my HbA1c is 9.2 is that bad", "can I double my metformin dose"}) {
    conversations_.Reset();
    const auto reply = Reply(text);
    ASSERT_TRUE(reply.ok());
    EXPECT_EQ(reply->text(), Fixed(safety::FixedKind::kClinical)) << text;
    EXPECT_EQ(OnlyTurn().task_reason, "handover:clinical_question");
  }
  EXPECT_EQ(claude_.asked, 0);
}

TEST_F(RuleAnswerTest, IsCalmOnceThenHandsAbuseToStaff) {
  const auto first = Reply("you are a useless piece of garbage");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->text(), Fixed(safety::FixedKind::kCalm));
  EXPECT_THAT(conversations_.takeovers(), IsEmpty());
  conversations_.Reset();
  conversations_.AddHistory(false, "you are a useless piece of garbage");
  conversations_.AddHistory(true, first->text());
  ASSERT_TRUE(Reply("idiots").ok());
  EXPECT_THAT(conversations_.takeovers(), ElementsAre("abuse"));
}

TEST_F(RuleAnswerTest, SaysThatItIsAMachineWhenAsked) {
  const auto reply = Reply("are you a robot?");
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->text(), Fixed(safety::FixedKind::kDisclosure));
}

TEST_F(RuleAnswerTest, StopsTalkingToAnotherMachine) {
  for (int i = 0; i < 3; ++i) {
    conversations_.AddHistory(false, "Thank you for your message. We will reply soon.");
    conversations_.AddHistory(true, "You are welcome.");
  }
  ASSERT_TRUE(Reply("Thank you for your message. We will reply soon.").ok());
  EXPECT_THAT(conversations_.takeovers(), ElementsAre("handover:loop"));
}

store::v1::Turn Quick(int turns, int seconds_between) {
  store::v1::Turn turn;
  turn.add_texts("ok");
  std::int64_t now = 1'000'000;
  for (int i = 0; i < turns; ++i) {
    auto* ours = turn.add_history();
    ours->set_from_hospital(true);
    ours->set_text("answer " + std::to_string(i));
    ours->mutable_create_time()->set_seconds(now);
    auto* theirs = turn.add_history();
    theirs->set_text("text " + std::to_string(i));
    theirs->mutable_create_time()->set_seconds(now + seconds_between);
    now += 10;
  }
  return turn;
}

TEST_F(RuleAnswerTest, KnowsAMachineByItsSpeedAndLimitsAnswersAnHour) {
  const auto rule = [&](const store::v1::Turn& turn, const RuleLimits& limits, std::int64_t now) {
    const auto answer = AnswerByRule(safety::Verdict(), turn, false, texts_, {}, "en", limits,
                                     std::chrono::system_clock::time_point(std::chrono::seconds(now)));
    return answer ? answer->takeover_reason : std::string("none");
  };
  EXPECT_EQ(rule(Quick(6, 1), {}, 1'000'060), "handover:loop");
  EXPECT_EQ(rule(Quick(6, 8), {}, 1'000'060), "none");
  EXPECT_EQ(rule(Quick(5, 1), {}, 1'000'060), "none");
  RuleLimits few;
  few.replies_an_hour = 6;
  EXPECT_EQ(rule(Quick(6, 8), few, 1'000'060), "handover:rate_limit");
  EXPECT_EQ(rule(Quick(6, 8), few, 1'010'000), "none") << "an hour later";
}

TEST_F(RuleAnswerTest, FindsAnEmergencyInAWholeBurst) {
  const std::string turn = conversations_.AddWhatsAppTurn("i cant\nbreathe");
  const auto reply = ReplyToTurn(turn);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->origin(), store::v1::REPLY_ORIGIN_GATE);
  EXPECT_THAT(conversations_.takeovers(), ElementsAre("emergency:breathing"));
}

TEST_F(RuleAnswerTest, LetsTheModelHandOverByItsToolAlone) {
  claude_.Use("hand_over_to_staff", R"({"reason":"medical_question"})");
  const auto reply = Reply("hmm it is complicated with my operation date");
  ASSERT_TRUE(reply.ok());
  EXPECT_THAT(reply->text(), StartsWith("A member of our staff will take over"));
  EXPECT_THAT(conversations_.takeovers(), ElementsAre("handover:medical_question"));
  EXPECT_EQ(OnlyTurn().task_reason, "handover:medical_question");
  EXPECT_THAT(claude_.requests().at(0).tools->text(), HasSubstr("hand_over_to_staff"));
}

TEST_F(RuleAnswerTest, NeverLetsAPromiseInProseStandForAHandOver) {
  claude_.Say({"I am transferring you to a colleague."});
  const auto reply = Reply("hmm it is complicated with my operation date");
  ASSERT_TRUE(reply.ok());
  EXPECT_THAT(reply->text(), Not(HasSubstr("transferring")));
  EXPECT_EQ(claude_.asked, 2) << "one corrected try";
  EXPECT_THAT(claude_.requests().at(1).system.back().text, HasSubstr("first draft was not sent"));
  EXPECT_EQ(OnlyTurn().task_reason, "output_check_failed:claimed_action");
}

TEST_F(RuleAnswerTest, HidesWhoThePatientIsFromTheModelAndPutsItBack) {
  conversations_.patient_name = "Zebedee Plantword";
  conversations_.patient_phone = "+15550107777";
  conversations_.AddHistory(false, "I am Zebedee, zeb@secret.example, call 555 010 7777 or 5550108888");
  conversations_.AddHistory(true, "Hello Zebedee Plantword!");
  claude_.Say({"Hello [NAME_1], visiting hours are 10 to 20."});
  const auto reply = Reply("it's Plantword again, born 12/03/1987: when may I visit?");
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->text(), "Hello Zebedee Plantword, visiting hours are 10 to 20.");
  ASSERT_EQ(claude_.requests().size(), 1u);
  const claude::Request request = claude_.requests()[0];
  std::string seen = request.user_id;
  for (const auto& block : request.system) seen += block.text;
  for (const auto& message : request.messages) seen += claude::JoinedText(message.content);
  for (const char* secret : {"Zebedee", "Plantword", "zeb@", "0107777", "010 7777", "5550108888", "1987",
                             conversations_.contact_id.c_str(), conversations_.conversation_id.c_str(), kPhone}) {
    EXPECT_THAT(seen, Not(HasSubstr(secret)));
  }
  for (const auto& block : request.system)
    EXPECT_THAT(block.text, Not(HasSubstr("when may I visit"))) << "data is the user's";
}

TEST_F(RuleAnswerTest, AnswersWithTheVariantOfAnExperimentAndTellsWhatCameOfIt) {
  experiments_.variant.set_name("warm");
  experiments_.variant.set_prompt_style("STYLE-OF-THE-VARIANT");
  (*experiments_.variant.mutable_parameters())["max_tokens"] = "123";
  (*experiments_.variant.mutable_parameters())["gate"] = "off";
  experiments_.holds_outcomes = true;
  const auto reply = Reply("when may I visit?");
  ASSERT_TRUE(reply.ok());
  experiments_.holds_outcomes = false;  // the answer did not wait for it
  const claude::Request request = claude_.requests().at(0);
  EXPECT_THAT(request.system[0].text, HasSubstr("STYLE-OF-THE-VARIANT"));
  EXPECT_THAT(request.system[0].text, HasSubstr("no medical advice")) << "the rules stay as they are";
  EXPECT_EQ(request.max_tokens, 123);
  ASSERT_EQ(experiments_.Outcomes(1).size(), 1u);
  EXPECT_EQ(experiments_.Outcomes(1)[0].first, store::v1::OUTCOME_KIND_LATENCY_MS);

  claude_.Say({"I have booked it."});
  ASSERT_TRUE(Reply("when may I visit again?").ok());
  const auto outcomes = experiments_.Outcomes(3);
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_EQ(std::count_if(outcomes.begin(), outcomes.end(),
                          [](const auto& one) { return one.first == store::v1::OUTCOME_KIND_CHECK_FAILED; }),
            1);
  EXPECT_EQ(experiments_.looks, 1) << "the store is asked now and then, not each time";
}

TEST_F(RuleAnswerTest, AsksForNoVariantWhileNoExperimentRuns) {
  ASSERT_TRUE(Reply("when may I visit?").ok());
  EXPECT_EQ(experiments_.looks, 1);
  EXPECT_EQ(experiments_.assigned, 0);
}

TEST(SpendMeter, CountsADayForEachContactAndForAll) {
  const auto day = std::chrono::system_clock::time_point(std::chrono::hours(24 * 20'000));
  SpendMeter meter({.contact_a_day = 100, .hospital_a_day = 250});
  const claude::Usage answer = {
      .input_tokens = 50, .output_tokens = 10, .cache_read_tokens = 100, .cache_write_tokens = 0};
  EXPECT_EQ(SpendMeter::Weigh(answer), 110);
  EXPECT_TRUE(meter.MaySpend("a", day));
  meter.Add("a", answer, day);
  EXPECT_FALSE(meter.MaySpend("a", day));
  EXPECT_TRUE(meter.MaySpend("b", day));
  meter.Add("b", answer, day);
  meter.Add("c", answer, day);
  EXPECT_FALSE(meter.MaySpend("d", day)) << "the hospital's share is used";
  EXPECT_TRUE(meter.MaySpend("a", day + std::chrono::hours(24)));
}

}  // namespace
}  // namespace medidesk::assistant::testing
