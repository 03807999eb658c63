#include "assistant/facts/hours_text.h"

#include <gtest/gtest.h>

namespace medidesk::assistant {
namespace {

std::vector<Span> Daily(int start, int end) {
  std::vector<Span> spans;
  for (int day = 1; day <= 7; ++day) spans.push_back({day, start, end});
  return spans;
}

TEST(HoursText, JoinsDaysWithTheSameTimes) {
  std::vector<Span> spans;
  for (int day = 1; day <= 5; ++day) spans.push_back({day, 480, 1200});
  spans.push_back({6, 480, 1080});
  EXPECT_EQ(HoursText(spans), "Mon-Fri 08:00-20:00; Sat 08:00-18:00");
  EXPECT_EQ(HoursText({{1, 600, 840}, {2, 900, 1080}, {3, 600, 840}}), "Mon, Wed 10:00-14:00; Tue 15:00-18:00");
}

TEST(HoursText, SaysDailyAndAlways) {
  EXPECT_EQ(HoursText(Daily(600, 1200)), "daily 10:00-20:00");
  EXPECT_EQ(HoursText(Daily(0, 1440)), "24/7");
  EXPECT_EQ(HoursText({{1, 1200, 1920}}), "Mon 20:00-08:00");
  EXPECT_EQ(HoursText(std::vector<Span>()), "");
}

TEST(HoursText, ChangesOnlyTheDaysWithTheLanguage) {
  EXPECT_EQ(HoursText(Daily(600, 1200), "es"), "todos los días 10:00-20:00");
  EXPECT_EQ(HoursText(Daily(600, 1200), "hi"), "रोज़ 10:00-20:00");
  EXPECT_EQ(HoursText(Daily(600, 1200), "xx"), "daily 10:00-20:00");
}

TEST(HoursText, LeavesOutWhatIsNoDay) { EXPECT_EQ(HoursText({{0, 600, 660}, {9, 600, 660}}), ""); }

TEST(DayHoursText, TellsOneDay) {
  store::v1::VisitingHours row;
  auto* range = row.add_hours();
  range->set_weekday(store::v1::WEEKDAY_SATURDAY);
  range->set_start_minute(600);
  range->set_end_minute(660);
  EXPECT_EQ(DayHoursText(row.hours(), 6), "10:00-11:00");
  EXPECT_EQ(DayHoursText(row.hours(), 5), "");
  EXPECT_EQ(DayHoursText(row.hours(), 8), "");
}

}  // namespace
}  // namespace medidesk::assistant
