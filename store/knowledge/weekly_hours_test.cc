#include "store/knowledge/weekly_hours.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/status.h"

namespace medidesk::store {
namespace {

std::string Normal(std::string_view text) {
  const auto ranges = ParseWeeklyHours(text);
  return ranges.ok() ? FormatWeeklyHours(*ranges) : "refused";
}

TEST(ParseWeeklyHours, GivesSpansInMinutes) {
  const auto ranges = ParseWeeklyHours("Sat 20:00-08:00; Mon 08:05-24:00");
  ASSERT_TRUE(ranges.ok()) << ranges.status();
  ASSERT_EQ(ranges->size(), 2);
  EXPECT_EQ(ranges->Get(0).weekday(), v1::WEEKDAY_MONDAY);
  EXPECT_EQ(ranges->Get(0).start_minute(), 8 * 60 + 5);
  EXPECT_EQ(ranges->Get(0).end_minute(), 1440);
  EXPECT_EQ(ranges->Get(1).weekday(), v1::WEEKDAY_SATURDAY);
  EXPECT_EQ(ranges->Get(1).start_minute(), 1200);
  EXPECT_EQ(ranges->Get(1).end_minute(), 1920);
}

TEST(ParseWeeklyHours, TakesTheWaysPeopleWrite) {
  EXPECT_EQ(Normal("daily 14:00-16:00, 18:00-20:00"), "daily 14:00-16:00, 18:00-20:00");
  EXPECT_EQ(Normal("Every"), "refused");
  EXPECT_EQ(Normal("monday - friday 8:00 \xE2\x80\x93 18:00, saturday 09:00-13:00"),
            "Mon-Fri 08:00-18:00; Sat 09:00-13:00");
  EXPECT_EQ(Normal("Mon, Wed and Fri 09:00-13:00 & 14:00-15:00"), "Mon, Wed, Fri 09:00-13:00, 14:00-15:00");
  EXPECT_EQ(Normal("Sat-Mon 10:00-12:00"), "Mon, Sat, Sun 10:00-12:00");
  EXPECT_EQ(Normal("weekdays 09:00-17:00\nweekends closed"), "Mon-Fri 09:00-17:00");
  EXPECT_EQ(Normal("24/7"), "24/7");
  EXPECT_EQ(Normal("daily 00:00-24:00"), "24/7");
  EXPECT_EQ(Normal("Mon 08:00-08:00"), "Mon 08:00-08:00");
  EXPECT_EQ(Normal("Mon 09:00-10:00; Mon 09:00-10:00"), "Mon 09:00-10:00");
}

TEST(ParseWeeklyHours, RefusesWhatItCannotReadAndSaysHowToWriteIt) {
  for (const char* text : {"", "Mon", "09:00-17:00", "Mon 9-5", "Mon 09:00-25:00", "Mon 09:60-10:00", "Mo 09:00-10:00",
                           "Mon 24:00-08:00", "Mon-Funday 09:00-10:00", "closed", "Mon 24/7", "Tuesdays at nine", "-",
                           "Mon 09:00-", "Mon 09:00-10:00 Tue", "and"}) {
    const auto ranges = ParseWeeklyHours(text);
    ASSERT_FALSE(ranges.ok()) << text;
    EXPECT_THAT(std::string(Text(ranges.status())), testing::HasSubstr("write e.g. \"Mon-Fri 08:00-18:00"));
  }
  EXPECT_FALSE(ParseWeeklyHours(std::string(1 << 20, '-')).ok());
}

TEST(FormatWeeklyHours, IsReadBackAsTheSameSpans) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    WeeklyRanges ranges;
    for (int i = 0, count = static_cast<int>(random() % 20) + 1; i < count; ++i) {
      v1::WeeklyRange* range = ranges.Add();
      range->set_weekday(static_cast<v1::Weekday>(random() % 7 + 1));
      range->set_start_minute(static_cast<int>(random() % 1440));
      range->set_end_minute(range->start_minute() + 1 + static_cast<int>(random() % 1440));
    }
    SortWeeklyRanges(&ranges);
    const std::string text = FormatWeeklyHours(ranges);
    const auto again = ParseWeeklyHours(text);
    ASSERT_TRUE(again.ok()) << text;
    EXPECT_EQ(FormatWeeklyHours(*again), text);
    ASSERT_EQ(again->size(), ranges.size()) << text;
    for (int i = 0; i < ranges.size(); ++i) {
      EXPECT_EQ(again->Get(i).SerializeAsString(), ranges.Get(i).SerializeAsString()) << text;
    }
  }
}

TEST(WeeklyRangesOverlap, SeesTheWeekAsACircle) {
  const auto overlap = [](std::string_view text) { return WeeklyRangesOverlap(*ParseWeeklyHours(text)); };
  EXPECT_FALSE(overlap("daily 08:00-12:00, 12:00-14:00"));
  EXPECT_TRUE(overlap("Mon 08:00-12:00, 11:59-14:00"));
  EXPECT_TRUE(overlap("Mon 22:00-06:00; Tue 05:00-08:00"));
  EXPECT_TRUE(overlap("Sun 22:00-06:00; Mon 05:00-08:00"));
  EXPECT_FALSE(overlap("Sun 22:00-06:00; Mon 06:00-08:00"));
  EXPECT_FALSE(overlap("24/7"));
}

}  // namespace
}  // namespace medidesk::store
