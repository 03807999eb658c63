// Holds examples/hospital.yaml, which a first start imports, to what is promised of it.
#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "store/knowledge/hospital_file.h"
#include "store/knowledge/weekly_hours.h"

namespace medidesk::store {
namespace {

class SampleHospital : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file("examples/hospital.yaml");  // tests run in the repository's root
    std::ostringstream text;
    text << file.rdbuf();
    auto facts = ParseHospitalFile(text.str(), "examples/hospital.yaml");
    ASSERT_TRUE(facts.ok()) << facts.status();
    facts_ = *std::move(facts);
  }

  std::string VisitingHoursOf(const std::string& key) const {
    for (const auto& row : facts_.visiting_hours()) {
      if (row.key() == key) return FormatWeeklyHours(row.hours());
    }
    return "no such area";
  }

  Facts facts_;
};

TEST_F(SampleHospital, IsAsLargeAsAHospital) {
  EXPECT_GE(facts_.faqs_size(), 60);
  EXPECT_GE(facts_.departments_size(), 10);
  EXPECT_GE(facts_.doctors_size(), 30);
  for (const v1::Doctor& doctor : facts_.doctors()) {
    EXPECT_GT(doctor.roster_size(), 0) << doctor.key();
  }
  EXPECT_FALSE(facts_.hospital().desk_hours().empty());
}

TEST_F(SampleHospital, TellsTheVisitingHoursOfWardsAndIcu) {
  EXPECT_EQ(VisitingHoursOf("general-ward"), "daily 10:00-20:00");
  EXPECT_EQ(VisitingHoursOf("icu"), "daily 14:00-16:00, 18:00-20:00");
}

TEST_F(SampleHospital, HasADoctorInEachDepartment) {
  std::set<std::string> served;
  for (const v1::Doctor& doctor : facts_.doctors()) served.insert(doctor.department_key());
  for (const v1::Department& department : facts_.departments()) {
    EXPECT_TRUE(served.contains(department.key())) << department.key();
  }
}

TEST_F(SampleHospital, NamesNoDose) {
  for (const v1::Faq& faq : facts_.faqs()) {
    for (const char* word : {" mg", "tablet", "paracetamol", "ibuprofen", "aspirin", "antibiotic", "dose"}) {
      EXPECT_THAT(faq.answer(), testing::Not(testing::HasSubstr(word))) << faq.key();
    }
  }
}

TEST_F(SampleHospital, SurvivesExportAndImport) {
  const auto again = ParseHospitalFile(WriteHospitalFile(facts_), "again.yaml");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(facts_, *again));
}

}  // namespace
}  // namespace medidesk::store
