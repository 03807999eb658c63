// Weekly hours as people write them, to and from the contract's spans.
//
//   "Mon-Fri 08:00-18:00; Sat 09:00-13:00"   <->  six WeeklyRange, ascending by weekday and start
//   "daily 14:00-16:00, 18:00-20:00"         <->  fourteen
//   "24/7"                                   <->  seven of 0 to 1440
//   "Fri 20:00-08:00"                        <->  one that ends on Saturday: 1200 to 1920
//
// Grammar: groups of days followed by times. Days are English names of three letters or more, ranges of
// them, "daily", "weekdays" and "weekends"; times are HH:MM-HH:MM or "closed". Words are separated by
// spaces, commas, semicolons, line ends, "and" or "&"; a day after a time begins the next group; an en dash
// counts as a hyphen. An end at or before its start is on the next day.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "medidesk/store/v1/knowledge.pb.h"

namespace medidesk::store {

using WeeklyRanges = google::protobuf::RepeatedPtrField<v1::WeeklyRange>;

// Most characters of such a text.
inline constexpr std::size_t kMaxHoursText = 2000;

// Parses `text`, sorted and without the same span twice; InvalidArgument says what is wrong and how to write it.
absl::StatusOr<WeeklyRanges> ParseWeeklyHours(std::string_view text);

// The shortest usual way to write valid `ranges` (any order); ParseWeeklyHours gives them back sorted. Empty: "".
std::string FormatWeeklyHours(const WeeklyRanges& ranges);

// Ascending by weekday, start, end.
void SortWeeklyRanges(WeeklyRanges* ranges);

// True when two spans share a minute; the week is a circle. Each span must be valid by itself.
bool WeeklyRangesOverlap(const WeeklyRanges& ranges);

}  // namespace medidesk::store
