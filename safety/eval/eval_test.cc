#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "safety/eval/dataset.h"
#include "safety/eval/scores.h"

namespace medidesk::safety {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(EvalSet, ReadsWhatTheSetsHold) {
  const auto set = ParseEvalSet(
      "{\"id\":\"a\",\"text\":\"hello\",\"lang\":\"en\",\"class\":\"faq\",\"gate\":false}\n\n"
      "{\"id\":\"b\",\"burst\":[\"cant\",\"breathe\"],\"lang\":\"en\",\"class\":\"emergency\",\"gate\":\"emergency\"}\n"
      "{\"text\":\"no label\"}\n");
  ASSERT_TRUE(set.ok()) << Text(set.status());
  ASSERT_EQ(set->size(), 3u);
  EXPECT_FALSE(*set->at(0).gate);
  EXPECT_TRUE(*set->at(1).gate);
  EXPECT_THAT(set->at(1).burst, ElementsAre("cant", "breathe"));
  EXPECT_FALSE(set->at(2).gate.has_value());
  EXPECT_EQ(set->at(2).id, "4") << "its line";
  EXPECT_EQ(PredictionLine(set->at(0), "lite", "faq"), R"({"id":"a","gate":false,"class":"faq"})");
  EXPECT_EQ(PredictionLine(set->at(1), "lite", "human"), R"({"id":"b","gate":"lite","class":"human"})");
}

TEST(EvalSet, NamesTheLineThatIsWrong) {
  EXPECT_EQ(Text(ParseEvalSet("{\"text\":\"x\"}\nnonsense\n").status()), "line 2: expected one JSON object");
  EXPECT_EQ(Text(ParseEvalSet("{\"id\":\"x\"}").status()), "line 1: expected `text` or `burst`");
  EXPECT_EQ(Text(ParseEvalSet("{\"burst\":[1]}").status()), "line 1: burst: expected texts");
}

TEST(Wilson, IsTheScoreInterval) {
  const Interval half = Wilson({.hits = 5, .all = 10});
  EXPECT_NEAR(half.low, 0.2366, 0.0001);
  EXPECT_NEAR(half.high, 0.7634, 0.0001);
  const Interval all = Wilson({.hits = 10, .all = 10});
  EXPECT_NEAR(all.low, 0.7225, 0.0001);
  EXPECT_NEAR(all.high, 1, 1e-9);
  EXPECT_EQ(Wilson({}).low, 0);
}

TEST(Scores, CountRecallAndFalseAlarms) {
  Scores scores;
  EvalMessage emergency, near;
  emergency.gate = true;
  emergency.language = "en";
  near.gate = false;
  near.near_miss = true;
  Verdict fired, silent;
  fired.severity = Severity::kEmergency;
  fired.family = "stroke";
  scores.Add(emergency, fired);
  scores.Add(emergency, silent);
  scores.Add(near, fired);
  scores.Add(near, silent);
  EXPECT_EQ(scores.recall().value(), 0.5);
  EXPECT_EQ(scores.near_miss_alarms().value(), 0.5);
  EXPECT_EQ(scores.specificity().value(), 0.5);
  EXPECT_THAT(scores.Report(), HasSubstr("stroke"));
}

}  // namespace
}  // namespace medidesk::safety
