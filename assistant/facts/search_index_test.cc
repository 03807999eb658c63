#include "assistant/facts/search_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "assistant/facts/words.h"

namespace medidesk::assistant {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(IndexWords, BringsManyWordingsToOne) {
  EXPECT_THAT(IndexWords("What are your VISITING hours??"), ElementsAre("visit", "hour"));
  EXPECT_THAT(IndexWords("¿Cuál es el horario de visita?"), ElementsAre("hour", "visit"));
  EXPECT_THAT(IndexWords("Quelles sont les heures de visite ?"), ElementsAre("hour", "visit"));
  EXPECT_THAT(IndexWords("मिलने का समय क्या है"), ElementsAre("visit", "hour"));
  EXPECT_THAT(IndexWords("ما هي مواعيد الزيارة؟"), ElementsAre("hour", "visit"));
  EXPECT_THAT(IndexWords("X-ray, wi-fi and e-mail"), ElementsAre("xray", "wifi", "email"));
  EXPECT_THAT(IndexWords("appointments"), ElementsAre("appointment"));
}

TEST(IndexWords, LeavesNothingOfNothing) {
  EXPECT_THAT(IndexWords(""), IsEmpty());
  EXPECT_THAT(IndexWords("what is the, of your?!"), IsEmpty());
  EXPECT_THAT(IndexWords("\xff\xfe\x80"), IsEmpty());
}

class SearchIndexTest : public testing::Test {
 protected:
  SearchIndexTest() {
    index_.Add({{"Is there parking?", "car park"}, {"Visitors park in the basement of Block A."}});
    index_.Add({{"How do I book an appointment?"}, {"Call the desk in Block A."}});
    index_.Add({{"What are your visiting hours?"}, {"From ten to eight."}});
    index_.Finish();
  }
  int First(const char* query) const {
    const std::vector<Match> matches = index_.Search(query, 5);
    return matches.empty() ? -1 : matches.front().document;
  }
  SearchIndex index_;
};

TEST_F(SearchIndexTest, FindsByWordsOfPhraseAndBody) {
  EXPECT_EQ(First("where can I park my car"), 0);
  EXPECT_EQ(First("appointment"), 1);
  EXPECT_EQ(First("basement"), 0);
}

TEST_F(SearchIndexTest, ForgivesTypingErrors) {
  EXPECT_EQ(First("visting hours"), 2);
  EXPECT_EQ(First("apointmnet"), 1);
  EXPECT_EQ(First("parkng"), 0);
}

TEST_F(SearchIndexTest, FindsNothingForUnknownWords) {
  EXPECT_EQ(First("helicopter"), -1);
  EXPECT_EQ(First(""), -1);
}

TEST_F(SearchIndexTest, MeasuresLikenessBothWays) {
  EXPECT_NEAR(index_.Search("Is there parking?", 1).front().likeness, 1, 1e-6);
  // One word in common with a question about something else.
  EXPECT_LT(index_.Search("parking for helicopters on the roof terrace", 1).front().likeness, 0.5);
}

TEST_F(SearchIndexTest, KeepsToTheLimit) {
  EXPECT_EQ(index_.Search("block", 1).size(), 1u);
  EXPECT_THAT(index_.Search("block", 0), IsEmpty());
}

TEST_F(SearchIndexTest, SurvivesHugeQueries) {
  std::string huge;
  for (int i = 0; i < 20'000; ++i) huge += "word" + std::to_string(i) + " ";
  EXPECT_THAT(index_.Search(huge, 5), IsEmpty());
}

TEST(SearchIndexEmpty, AnswersEveryQuery) {
  SearchIndex index;
  index.Finish();
  EXPECT_THAT(index.Search("parking", 5), IsEmpty());
}

}  // namespace
}  // namespace medidesk::assistant
