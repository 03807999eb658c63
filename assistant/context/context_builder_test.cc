#include "assistant/context/context_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assistant/facts/testing/small_hospital.h"
#include "assistant/facts/tokens.h"

namespace medidesk::assistant {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<const StablePrompt> Stable(const ContextOptions& options = {}) {
  return MakeStablePrompt(FactBook::Make(SmallHospital()), options);
}

store::v1::Turn Turn(const std::string& text, const std::string& contact = "6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01") {
  store::v1::Turn turn;
  turn.set_contact_id(contact);
  turn.add_texts(text);
  return turn;
}

void AddHistory(store::v1::Turn& turn, bool from_hospital, const std::string& text) {
  auto* message = turn.add_history();
  message->set_from_hospital(from_hospital);
  message->set_text(text);
}

std::vector<std::string> Texts(const claude::Request& request) {
  std::vector<std::string> texts;
  for (const claude::Message& message : request.messages) {
    texts.push_back((message.role == claude::Role::kUser ? "P: " : "H: ") + claude::JoinedText(message.content));
  }
  return texts;
}

const auto kNoon = At(2026, 11, 24, 12, 0);

TEST(ContextBuilder, KeepsTheStablePromptTheSameForEveryPatientAndTime) {
  const auto one = Stable(), other = Stable();
  const TurnContext first = BuildContext(*one, Turn("hello", "a"), "en", kNoon, {});
  store::v1::Turn later = Turn("when may I visit?", "b");
  AddHistory(later, false, "hi");
  const TurnContext second = BuildContext(*other, later, "hi", At(2026, 11, 24, 17, 59), {});
  ASSERT_EQ(first.request.system.size(), 2u);
  EXPECT_EQ(first.request.system[0].text, second.request.system[0].text);
  EXPECT_EQ(first.request.system[0].text, one->text);
}

TEST(ContextBuilder, KeepsTheTurnPromptTheSameWithinAnHourOfOneLanguage) {
  const auto stable = Stable();
  const auto at = [&](int hour, int minute) {
    return BuildContext(*stable, Turn("hello"), "en", At(2026, 11, 24, hour, minute), {}).turn_prompt;
  };
  EXPECT_EQ(at(12, 0), at(17, 59));
  EXPECT_NE(at(12, 0), at(23, 0)) << "the desk has closed";
}

TEST(ContextBuilder, HoldsEveryFactTheRulesAndThePersona) {
  const auto stable = Stable();
  EXPECT_FALSE(stable->retrieval);
  for (const char* fact : {"Hill Clinic", "Asha", "112", "+91 22 5550 0900", "1 Hill Road", "Intensive care unit",
                           "One visitor at a time.", "Dermatology", "Claire Dubois", "INR 900", "Pooja Malhotra",
                           "Arogya Shield", "Is there parking?", "The first hour is free."}) {
    EXPECT_THAT(stable->text, HasSubstr(fact));
  }
  EXPECT_THAT(stable->text, HasSubstr("no medical advice"));
  EXPECT_THAT(stable->text, Not(HasSubstr("{"))) << "a place that was not filled";
}

TEST(ContextBuilder, SpeaksForAHospitalWithoutSettings) {
  const auto stable = MakeStablePrompt(FactBook::Make({}), {});
  EXPECT_THAT(stable->text, HasSubstr("You are MediDesk"));
  EXPECT_THAT(stable->text, HasSubstr("the local emergency number"));
  EXPECT_THAT(stable->text, Not(HasSubstr("{")));
  const TurnContext context = BuildContext(*stable, Turn("hi"), "en", kNoon, {});
  EXPECT_THAT(Texts(context.request), ElementsAre("P: hi"));
}

TEST(ContextBuilder, MarksTheStablePartForCachingAndNothingElse) {
  const TurnContext context = BuildContext(*Stable(), Turn("hello"), "en", kNoon, {});
  EXPECT_EQ(context.request.system[0].cache, claude::CacheTtl::kOneHour);
  EXPECT_FALSE(context.request.system[1].cache.has_value());
  EXPECT_FALSE(context.request.cache_dialogue.has_value());
  EXPECT_EQ(context.request.system[1].text, context.turn_prompt);
}

TEST(ContextBuilder, SaysDateDeskAndLanguage) {
  const auto stable = Stable();
  EXPECT_THAT(BuildContext(*stable, Turn("x"), "en", kNoon, {}).turn_prompt,
              AllOf(HasSubstr("Tuesday 2026-11-24"), HasSubstr("open now"), HasSubstr("Answer in English.")));
  const std::string closed = BuildContext(*stable, Turn("x"), "hi-Latn", At(2026, 11, 24, 22, 0), {}).turn_prompt;
  EXPECT_THAT(closed, AllOf(HasSubstr("closed now, it opens"), HasSubstr("Hindi in Latin letters")));
  const std::pair<const char*, const char*> languages[] = {
      {"es", "Spanish"}, {"pt", "Portuguese"},          {"fr", "French"},
      {"ar", "Arabic"},  {"hi", "Hindi in Devanagari"}, {"xx", "English"}};
  for (const auto& [tag, name] : languages) {
    EXPECT_THAT(BuildContext(*stable, Turn("x"), tag, kNoon, {}).turn_prompt,
                HasSubstr(std::string("Answer in ") + name + "."));
  }
}

TEST(ContextBuilder, JoinsTheTextsOfABurst) {
  store::v1::Turn turn = Turn("hello");
  turn.add_texts("is there parking?");
  EXPECT_EQ(JoinedTexts(turn), "hello\nis there parking?");
  EXPECT_THAT(Texts(BuildContext(*Stable(), turn, "en", kNoon, {}).request),
              ElementsAre("P: hello\nis there parking?"));
}

TEST(ContextBuilder, KeepsTheNewestHistoryInsideItsBudget) {
  store::v1::Turn turn = Turn("and on Sunday?");
  AddHistory(turn, false, std::string(4000, 'o'));
  AddHistory(turn, false, "visiting hours?");
  AddHistory(turn, true, "10 to 20.");
  ContextOptions options;
  options.history_tokens = 100;
  EXPECT_THAT(Texts(BuildContext(*Stable(), turn, "en", kNoon, options).request),
              ElementsAre("P: visiting hours?", "H: 10 to 20.", "P: and on Sunday?"));
  options.history_tokens = 3000;
  EXPECT_EQ(BuildContext(*Stable(), turn, "en", kNoon, options).request.messages.size(), 4u);
  options.history_tokens = 0;
  EXPECT_THAT(Texts(BuildContext(*Stable(), turn, "en", kNoon, options).request), ElementsAre("P: and on Sunday?"));
}

TEST(ContextBuilder, BeginsTheDialogueWithThePatient) {
  store::v1::Turn turn = Turn("thanks");
  AddHistory(turn, true, "A reminder of ours.");
  AddHistory(turn, true, "And another.");
  AddHistory(turn, false, "ok");
  AddHistory(turn, false, "");  // deleted
  AddHistory(turn, true, "Anything else?");
  EXPECT_THAT(Texts(BuildContext(*Stable(), turn, "en", kNoon, {}).request),
              ElementsAre("P: ok", "H: Anything else?", "P: thanks"));
  store::v1::Turn only_ours = Turn("thanks");
  AddHistory(only_ours, true, "A reminder of ours.");
  EXPECT_THAT(Texts(BuildContext(*Stable(), only_ours, "en", kNoon, {}).request), ElementsAre("P: thanks"));
}

TEST(ContextBuilder, PicksFactsWhenTheyAreTooMany) {
  ContextOptions options;
  options.facts_tokens = 50;
  options.retrieved_tokens = 1000;
  const auto stable = Stable(options);
  EXPECT_TRUE(stable->retrieval);
  EXPECT_THAT(stable->text, Not(HasSubstr("The first hour is free.")));
  EXPECT_THAT(stable->text, HasSubstr("Hill Clinic"));
  const TurnContext context = BuildContext(*stable, Turn("where can I park?"), "en", kNoon, options);
  EXPECT_THAT(context.turn_prompt, HasSubstr("The first hour is free."));
  EXPECT_EQ(context.request.system[0].text, stable->text) << "the same for every question";
}

TEST(ContextBuilder, NamesThePatientOpaquely) {
  const std::string contact = "6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01";
  const auto stable = Stable();
  const claude::Request request = BuildContext(*stable, Turn("hi", contact), "en", kNoon, {}).request;
  EXPECT_EQ(request.user_id.size(), 16u);
  EXPECT_EQ(request.user_id, BuildContext(*stable, Turn("other", contact), "hi", kNoon, {}).request.user_id);
  EXPECT_NE(request.user_id, BuildContext(*stable, Turn("hi", "another"), "en", kNoon, {}).request.user_id);
  EXPECT_THAT(contact, Not(HasSubstr(request.user_id.substr(0, 8))));
  claude::ModelSettings settings;
  settings.model = "m";
  const auto body = claude::SerializeRequest(request, settings);
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_THAT(*body, Not(HasSubstr(contact)));
}

TEST(ContextBuilder, EstimatesWhatItSends) {
  const auto stable = Stable();
  store::v1::Turn turn = Turn("hello");
  const TurnContext small = BuildContext(*stable, turn, "en", kNoon, {});
  AddHistory(turn, false, std::string(350, 'a'));
  const TurnContext more = BuildContext(*stable, turn, "en", kNoon, {});
  EXPECT_GT(small.estimated_tokens, EstimateTokens(stable->text));
  EXPECT_NEAR(more.estimated_tokens - small.estimated_tokens, 104, 3);
  EXPECT_EQ(small.request.max_tokens, ContextOptions().max_answer_tokens);
}

}  // namespace
}  // namespace medidesk::assistant
