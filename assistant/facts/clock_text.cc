#include "assistant/facts/clock_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace medidesk::assistant {
namespace {

constexpr int kDayMinutes = 1440;
constexpr int kSearchDays = 60;
constexpr std::array<std::string_view, 7> kWeekdays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                       "Friday", "Saturday", "Sunday"};

absl::TimeZone Zone(const std::string& name) {
  absl::TimeZone zone = absl::UTCTimeZone();
  // A name is "Area/City"; a path would read other files.
  const bool plain = !name.empty() && name.size() <= 64 && name.front() != '/' &&
                     name.find("..") == std::string::npos && name.find(':') == std::string::npos;
  if (!plain || !absl::LoadTimeZone(name, &zone)) return absl::UTCTimeZone();
  return zone;
}

int WeekdayNumber(absl::CivilDay day) { return static_cast<int>(absl::GetWeekday(day)) + 1; }

std::string DateText(absl::CivilDay day) {
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()), day.month(), day.day());
}

const store::v1::Holiday* HolidayOn(const store::v1::Hospital& hospital, absl::CivilDay day) {
  const std::string date = DateText(day);
  for (const store::v1::Holiday& holiday : hospital.holidays()) {
    if (holiday.date() == date) return &holiday;
  }
  return nullptr;
}

bool IsOpen(const store::v1::Hospital& hospital, absl::CivilDay today, int minute) {
  if (HolidayOn(hospital, today) != nullptr) return false;
  for (const store::v1::WeeklyRange& range : hospital.desk_hours()) {
    const int weekday = static_cast<int>(range.weekday());
    if (weekday == WeekdayNumber(today) && range.start_minute() <= minute && minute < range.end_minute()) return true;
    // A span that began yesterday and runs past midnight.
    if (weekday == WeekdayNumber(today - 1) && minute + kDayMinutes < range.end_minute() &&
        HolidayOn(hospital, today - 1) == nullptr) {
      return true;
    }
  }
  return false;
}

}  // namespace

SiteTime LocalTime(const store::v1::Hospital& hospital, std::chrono::system_clock::time_point now) {
  const absl::CivilSecond local = absl::ToCivilSecond(absl::FromChrono(now), Zone(hospital.timezone()));
  const absl::CivilDay today(local);
  const int minute = local.hour() * 60 + local.minute();

  SiteTime time;
  time.date = DateText(today);
  time.weekday_number = WeekdayNumber(today);
  time.weekday = std::string(kWeekdays[static_cast<std::size_t>(time.weekday_number - 1)]);
  time.time = fmt::format("{:02}:{:02}", local.hour(), local.minute());
  if (const store::v1::Holiday* holiday = HolidayOn(hospital, today)) time.holiday = holiday->name();
  time.desk_open = IsOpen(hospital, today, minute);
  if (time.desk_open) return time;

  for (int days = 0; days <= kSearchDays; ++days) {
    const absl::CivilDay day = today + days;
    if (HolidayOn(hospital, day) != nullptr) continue;
    int first = kDayMinutes;
    for (const store::v1::WeeklyRange& range : hospital.desk_hours()) {
      if (static_cast<int>(range.weekday()) != WeekdayNumber(day)) continue;
      if (days == 0 && range.start_minute() <= minute) continue;
      first = std::min(first, range.start_minute());
    }
    if (first >= kDayMinutes) continue;
    time.next_open_days = days;
    time.next_open_weekday = WeekdayNumber(day);
    time.next_open_date = DateText(day);
    time.next_open_time = fmt::format("{:02}:{:02}", first / 60, first % 60);
    const std::string name = days == 0   ? "today"
                             : days == 1 ? "tomorrow"
                             : days < 7  ? std::string(kWeekdays[static_cast<std::size_t>(time.next_open_weekday - 1)])
                                         : time.next_open_date;
    time.next_open = name + " " + time.next_open_time;
    break;
  }
  return time;
}

}  // namespace medidesk::assistant
