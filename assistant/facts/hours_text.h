// Weekly hours as patients read them: the one form in which this folder writes hours, the same as in the
// hospital's file.
//
//   five spans 480..1200    ->  "Mon-Fri 08:00-20:00"
//   14 spans, ICU           ->  "daily 14:00-16:00, 18:00-20:00"
//   seven of 0..1440        ->  "24/7"
//
// In other languages only the names of days change: "todos los días 14:00-16:00, 18:00-20:00".
#pragma once

#include <google/protobuf/repeated_field.h>

#include <string>
#include <string_view>
#include <vector>

#include "medidesk/store/v1/knowledge.pb.h"

namespace medidesk::assistant {

struct Span {
  int weekday = 1;  // ISO 8601: Monday is 1
  int start = 0;    // minutes after midnight
  int end = 0;      // minutes after the same midnight, exclusive; may be on the next day
};

// "" for no spans. `language`: a BCP 47 tag; one that is not known reads English.
std::string HoursText(std::vector<Span> spans, std::string_view language = "en");
std::string HoursText(const google::protobuf::RepeatedPtrField<store::v1::WeeklyRange>& hours,
                      std::string_view language = "en");
std::string HoursText(const google::protobuf::RepeatedPtrField<store::v1::RosterEntry>& roster,
                      std::string_view language = "en");

// "09:00-13:00, 16:00-18:00": the times of one day only. "" when it has none.
std::string DayHoursText(const google::protobuf::RepeatedPtrField<store::v1::WeeklyRange>& hours, int weekday);
std::string DayHoursText(const google::protobuf::RepeatedPtrField<store::v1::RosterEntry>& roster, int weekday);

// Full name of a day in a sentence: "Monday", "lunes". `weekday`: 1 to 7.
std::string_view DayName(int weekday, std::string_view language);

}  // namespace medidesk::assistant
