// What time it is at the hospital, and whether somebody sits at the front desk.
//
// Pure: the instant is an argument. Thread-safe. The time zone comes from the system's zone files; a zone
// they do not know counts as UTC.
#pragma once

#include <chrono>
#include <string>

#include "medidesk/store/v1/knowledge.pb.h"

namespace medidesk::assistant {

struct SiteTime {
  std::string date;     // "2026-11-24"
  std::string weekday;  // "Tuesday"
  std::string time;     // "17:05"
  bool desk_open = false;
  // When the desk opens next, in English: "today 08:00", "tomorrow 08:00", "Monday 08:00", or "2027-01-04
  // 08:00" when that is a week or more away. Empty while it is open, and when no opening is known within 60 days.
  std::string next_open;

  // The same in numbers, for sentences in other languages.
  int weekday_number = 1;      // ISO 8601: Monday is 1
  int next_open_days = -1;     // days from today; -1 when next_open is empty
  int next_open_weekday = 0;   // 1 to 7
  std::string next_open_date;  // "2026-11-25"
  std::string next_open_time;  // "08:00"
  std::string holiday;         // name of today's holiday; empty on other days
};

// Holidays close the desk from midnight to midnight.
SiteTime LocalTime(const store::v1::Hospital& hospital, std::chrono::system_clock::time_point now);

}  // namespace medidesk::assistant
