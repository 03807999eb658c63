#include "assistant/facts/clock_text.h"

#include <gtest/gtest.h>

#include "assistant/facts/testing/small_hospital.h"

namespace medidesk::assistant {
namespace {

store::v1::Hospital Hospital() { return SmallHospital().hospital(); }

TEST(LocalTime, SpeaksInTheHospitalsTimeZone) {
  const SiteTime time = LocalTime(Hospital(), At(2026, 11, 24, 17, 5));
  EXPECT_EQ(time.date, "2026-11-24");
  EXPECT_EQ(time.weekday, "Tuesday");
  EXPECT_EQ(time.time, "17:05");
  EXPECT_EQ(time.weekday_number, 2);
  EXPECT_TRUE(time.desk_open);
  EXPECT_EQ(time.next_open, "");
}

TEST(LocalTime, OpensAndClosesOnTheMinute) {
  EXPECT_FALSE(LocalTime(Hospital(), At(2026, 11, 24, 7, 59)).desk_open);
  EXPECT_TRUE(LocalTime(Hospital(), At(2026, 11, 24, 8, 0)).desk_open);
  EXPECT_TRUE(LocalTime(Hospital(), At(2026, 11, 24, 19, 59)).desk_open);
  EXPECT_FALSE(LocalTime(Hospital(), At(2026, 11, 24, 20, 0)).desk_open);
}

TEST(LocalTime, NamesTheNextOpening) {
  EXPECT_EQ(LocalTime(Hospital(), At(2026, 11, 24, 6, 0)).next_open, "today 08:00");
  EXPECT_EQ(LocalTime(Hospital(), At(2026, 11, 26, 21, 0)).next_open, "tomorrow 08:00");
  // Saturday afternoon: Sunday is closed.
  EXPECT_EQ(LocalTime(Hospital(), At(2026, 11, 28, 14, 0)).next_open, "Monday 08:00");
}

TEST(LocalTime, StaysClosedOnAHoliday) {
  const SiteTime eve = LocalTime(Hospital(), At(2026, 11, 24, 21, 0));
  EXPECT_EQ(eve.next_open, "Thursday 08:00");
  EXPECT_EQ(eve.next_open_days, 2);
  const SiteTime day = LocalTime(Hospital(), At(2026, 11, 25, 12, 0));
  EXPECT_FALSE(day.desk_open);
  EXPECT_EQ(day.holiday, "Founders' Day");
  EXPECT_EQ(day.next_open, "tomorrow 08:00");
}

TEST(LocalTime, KnowsSpansThatPassMidnight) {
  store::v1::Hospital hospital;
  hospital.set_timezone("Asia/Kolkata");
  AddHours({2}, 1200, 1920, hospital.mutable_desk_hours());  // Tuesday 20:00 to Wednesday 08:00
  EXPECT_TRUE(LocalTime(hospital, At(2026, 11, 24, 23, 0)).desk_open);
  EXPECT_TRUE(LocalTime(hospital, At(2026, 11, 25, 7, 59)).desk_open);
  EXPECT_FALSE(LocalTime(hospital, At(2026, 11, 25, 8, 0)).desk_open);
  EXPECT_EQ(LocalTime(hospital, At(2026, 11, 25, 8, 0)).next_open, "Tuesday 20:00");
}

TEST(LocalTime, TakesAnUnknownZoneForUtc) {
  for (const char* zone : {"", "Mars/Olympus", "/etc/passwd", "../../etc/localtime", "file:x"}) {
    store::v1::Hospital hospital;
    hospital.set_timezone(zone);
    EXPECT_EQ(LocalTime(hospital, At(2026, 11, 24, 17, 30)).time, "12:00") << zone;
  }
}

TEST(LocalTime, NeverOpensWithoutHours) {
  const SiteTime time = LocalTime(store::v1::Hospital(), At(2026, 11, 24, 17, 5));
  EXPECT_FALSE(time.desk_open);
  EXPECT_EQ(time.next_open, "");
  EXPECT_EQ(time.next_open_days, -1);
}

}  // namespace
}  // namespace medidesk::assistant
