#include "store/knowledge/facts_difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace medidesk::store {
namespace {

using ::testing::ElementsAre;

Facts Before() {
  Facts facts;
  facts.mutable_hospital()->set_name("Sunrise");
  facts.mutable_hospital()->add_insurers("Kaveri");
  v1::Doctor* doctor = facts.add_doctors();
  doctor->set_key("asha");
  doctor->set_name("Asha Rao");
  doctor->set_department_key("heart");
  v1::RosterEntry* entry = doctor->add_roster();
  entry->set_weekday(v1::WEEKDAY_MONDAY);
  entry->set_start_minute(540);
  entry->set_end_minute(780);
  entry->set_room("OPD 1");
  v1::Faq* faq = facts.add_faqs();
  faq->set_key("parking");
  faq->set_question("Is there parking?");
  return facts;
}

std::vector<std::string> Lines(const v1::RowDifference& row) {
  std::vector<std::string> lines;
  for (const auto& field : row.fields())
    lines.push_back(field.field() + ": " + field.before() + " -> " + field.after());
  return lines;
}

TEST(DescribeDifferences, NamesFieldsAsTheFileDoes) {
  const Facts before = Before();
  Facts after = before;
  after.mutable_hospital()->add_insurers("Nivara");
  v1::Holiday* holiday = after.mutable_hospital()->add_holidays();
  holiday->set_date("2027-01-26");
  holiday->set_name("Republic Day");
  after.mutable_doctors(0)->set_department_key("lungs");
  after.mutable_doctors(0)->mutable_roster(0)->set_end_minute(720);
  after.mutable_doctors(0)->add_roster()->CopyFrom(before.doctors(0).roster(0));
  after.mutable_doctors(0)->mutable_roster(1)->clear_room();
  after.clear_faqs();
  v1::VisitingHours* icu = after.add_visiting_hours();
  icu->set_key("icu");
  icu->set_area("ICU");
  v1::WeeklyRange* span = icu->add_hours();
  span->set_weekday(v1::WEEKDAY_SATURDAY);
  span->set_start_minute(840);
  span->set_end_minute(960);
  v1::KnowledgeServiceImportResponse told;
  DescribeDifferences(before, after,
                      {{v1::KNOWLEDGE_KIND_HOSPITAL, "", v1::KNOWLEDGE_ACTION_UPDATED},
                       {v1::KNOWLEDGE_KIND_DOCTOR, "asha", v1::KNOWLEDGE_ACTION_UPDATED},
                       {v1::KNOWLEDGE_KIND_FAQ, "parking", v1::KNOWLEDGE_ACTION_DELETED},
                       {v1::KNOWLEDGE_KIND_VISITING_HOURS, "icu", v1::KNOWLEDGE_ACTION_CREATED}},
                      &told);
  ASSERT_EQ(told.differences_size(), 4);
  EXPECT_EQ(told.differences_left_out(), 0);
  EXPECT_THAT(Lines(told.differences(0)),
              ElementsAre("holidays:  -> 2027-01-26 Republic Day", "insurers: Kaveri -> Kaveri\nNivara"));
  EXPECT_THAT(Lines(told.differences(1)),
              ElementsAre("department: heart -> lungs",
                          "roster: Mon 09:00-13:00, OPD 1 -> Mon 09:00-12:00, OPD 1\nMon 09:00-13:00"));
  EXPECT_THAT(Lines(told.differences(2)), ElementsAre("question: Is there parking? -> "));
  EXPECT_THAT(Lines(told.differences(3)), ElementsAre("area:  -> ICU", "hours:  -> Sat 14:00-16:00"));
}

TEST(DescribeDifferences, CountsWhatItLeavesOut) {
  Facts after;
  std::vector<RowChange> changes;
  for (int i = 0; i < kMaxDifferences + 5; ++i) {
    v1::Faq* faq = after.add_faqs();
    faq->set_key("k" + std::to_string(10000 + i));
    faq->set_question("?");
    changes.push_back({v1::KNOWLEDGE_KIND_FAQ, faq->key(), v1::KNOWLEDGE_ACTION_CREATED});
  }
  v1::KnowledgeServiceImportResponse told;
  DescribeDifferences(Facts(), after, changes, &told);
  EXPECT_EQ(told.differences_size(), kMaxDifferences);
  EXPECT_EQ(told.differences_left_out(), 5);

  for (auto& faq : *after.mutable_faqs()) faq.set_answer(std::string(4000, 'a'));
  told.Clear();
  DescribeDifferences(Facts(), after, changes, &told);
  EXPECT_GT(told.differences_size(), 200);
  EXPECT_LE(told.ByteSizeLong(), kMaxDifferencesBytes + 10'000);
  EXPECT_EQ(told.differences_size() + told.differences_left_out(), kMaxDifferences + 5);
}

}  // namespace
}  // namespace medidesk::store
