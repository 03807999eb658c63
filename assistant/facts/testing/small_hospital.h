// A hospital with a few rows of each kind, for tests.
#pragma once

#include <chrono>
#include <initializer_list>
#include <string>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "medidesk/store/v1/knowledge.pb.h"

namespace medidesk::assistant {

template <typename Rows>
void AddHours(std::initializer_list<int> weekdays, int start, int end, Rows* rows) {
  for (const int weekday : weekdays) {
    auto* row = rows->Add();
    row->set_weekday(static_cast<store::v1::Weekday>(weekday));
    row->set_start_minute(start);
    row->set_end_minute(end);
  }
}

// Time in Kolkata.
inline std::chrono::system_clock::time_point At(int year, int month, int day, int hour, int minute) {
  absl::TimeZone zone;
  absl::LoadTimeZone("Asia/Kolkata", &zone);
  return absl::ToChronoTime(absl::FromCivil(absl::CivilSecond(year, month, day, hour, minute), zone));
}

inline store::v1::GetFactsResponse SmallHospital() {
  store::v1::GetFactsResponse facts;
  facts.set_revision(7);
  auto* hospital = facts.mutable_hospital();
  hospital->set_name("Hill Clinic");
  hospital->set_timezone("Asia/Kolkata");
  hospital->set_default_language("en");
  hospital->add_languages("en");
  hospital->set_emergency_number("112");
  hospital->set_phone("+91 22 5550 0900");
  hospital->set_address("1 Hill Road, Pune");
  hospital->set_persona_name("Asha");
  AddHours({1, 2, 3, 4, 5}, 480, 1200, hospital->mutable_desk_hours());
  AddHours({6}, 540, 780, hospital->mutable_desk_hours());
  auto* holiday = hospital->add_holidays();
  holiday->set_date("2026-11-25");
  holiday->set_name("Founders' Day");
  hospital->add_insurers("Arogya Shield");
  hospital->add_insurers("CGHS");

  auto* ward = facts.add_visiting_hours();
  ward->set_key("general-ward");
  ward->set_area("General wards");
  ward->add_aliases("ward");
  AddHours({1, 2, 3, 4, 5, 6, 7}, 600, 1200, ward->mutable_hours());
  auto* icu = facts.add_visiting_hours();
  icu->set_key("icu");
  icu->set_area("Intensive care unit (ICU)");
  icu->add_aliases("icu");
  icu->set_note("One visitor at a time.");
  AddHours({1, 2, 3, 4, 5, 6, 7}, 840, 960, icu->mutable_hours());
  AddHours({1, 2, 3, 4, 5, 6, 7}, 1080, 1200, icu->mutable_hours());

  auto* skin = facts.add_departments();
  skin->set_key("dermatology");
  skin->set_name("Dermatology");
  skin->add_aliases("skin");
  skin->set_location("Block D, first floor");
  skin->set_phone("+91 22 5550 0191");
  AddHours({1, 2, 3, 4, 5, 6}, 600, 1020, skin->mutable_hours());
  auto* heart = facts.add_departments();
  heart->set_key("cardiology");
  heart->set_name("Cardiology");
  heart->add_aliases("heart");

  auto* doctor = facts.add_doctors();
  doctor->set_key("claire-dubois");
  doctor->set_name("Claire Dubois");
  doctor->set_title("Dr., Consultant");
  doctor->set_department_key("dermatology");
  doctor->set_consultation_fee("INR 900");
  AddHours({1, 3, 6}, 840, 1020, doctor->mutable_roster());
  auto* other = facts.add_doctors();
  other->set_key("pooja-malhotra");
  other->set_name("Pooja Malhotra");
  other->set_title("Dr.");
  other->set_department_key("dermatology");
  AddHours({1, 2, 3, 4, 5}, 600, 840, other->mutable_roster());

  auto* faq = facts.add_faqs();
  faq->set_key("parking");
  faq->set_question("Is there parking?");
  faq->add_alternatives("Where can I park?");
  faq->set_answer("Visitors park in the basement. The first hour is free.");
  faq->set_category("general");
  return facts;
}

}  // namespace medidesk::assistant
