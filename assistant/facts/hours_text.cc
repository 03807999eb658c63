#include "assistant/facts/hours_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>

namespace medidesk::assistant {
namespace {

constexpr int kDayMinutes = 1440;

struct DayNames {
  std::string_view language;
  std::string_view daily;
  std::array<std::string_view, 7> shorts;
  std::array<std::string_view, 7> names;
};

constexpr DayNames kNames[] = {
    {"en",
     "daily",
     {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"},
     {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}},
    {"es",
     "todos los días",
     {"lun", "mar", "mié", "jue", "vie", "sáb", "dom"},
     {"el lunes", "el martes", "el miércoles", "el jueves", "el viernes", "el sábado", "el domingo"}},
    {"pt",
     "todos os dias",
     {"seg", "ter", "qua", "qui", "sex", "sáb", "dom"},
     {"segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"}},
    {"fr",
     "tous les jours",
     {"lun", "mar", "mer", "jeu", "ven", "sam", "dim"},
     {"lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"}},
    {"hi",
     "रोज़",
     {"सोम", "मंगल", "बुध", "गुरु", "शुक्र", "शनि", "रवि"},
     {"सोमवार", "मंगलवार", "बुधवार", "गुरुवार", "शुक्रवार", "शनिवार", "रविवार"}},
    {"hi-Latn",
     "roz",
     {"Som", "Mangal", "Budh", "Guru", "Shukra", "Shani", "Ravi"},
     {"Somvar", "Mangalvar", "Budhvar", "Guruvar", "Shukravar", "Shanivar", "Ravivar"}},
    {"ar",
     "يوميًا",
     {"الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت", "الأحد"},
     {"الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت", "الأحد"}},
};

const DayNames& NamesIn(std::string_view language) {
  for (const DayNames& names : kNames) {
    if (names.language == language) return names;
  }
  return kNames[0];
}

std::string Clock(int minute) {
  if (minute > kDayMinutes) minute -= kDayMinutes;
  return fmt::format("{:02}:{:02}", minute / 60, minute % 60);
}

std::string DayList(std::uint8_t days, const DayNames& names) {
  if (days == 0x7F) return std::string(names.daily);
  std::string text;
  for (std::size_t day = 0; day < 7; ++day) {
    if ((days >> day & 1) == 0) continue;
    std::size_t last = day;
    while (last < 6 && (days >> (last + 1) & 1) != 0) ++last;
    if (!text.empty()) text += ", ";
    text += names.shorts[day];
    if (last > day + 1) {
      text += '-';
      text += names.shorts[last];
      day = last;
    }
  }
  return text;
}

template <typename Rows>
std::vector<Span> Spans(const Rows& rows) {
  std::vector<Span> spans;
  for (const auto& row : rows) {
    spans.push_back({static_cast<int>(row.weekday()), row.start_minute(), row.end_minute()});
  }
  return spans;
}

std::array<std::string, 7> TimesByDay(std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) {
    return std::tuple(a.weekday, a.start, a.end) < std::tuple(b.weekday, b.start, b.end);
  });
  std::array<std::string, 7> times;
  for (const Span& span : spans) {
    if (span.weekday < 1 || span.weekday > 7) continue;
    std::string& of_day = times[static_cast<std::size_t>(span.weekday - 1)];
    if (!of_day.empty()) of_day += ", ";
    of_day += Clock(span.start) + "-" + Clock(span.end);
  }
  return times;
}

std::string TimesOf(std::vector<Span> spans, int weekday) {
  if (weekday < 1 || weekday > 7) return "";
  return TimesByDay(std::move(spans))[static_cast<std::size_t>(weekday - 1)];
}

}  // namespace

std::string HoursText(std::vector<Span> spans, std::string_view language) {
  const DayNames& names = NamesIn(language);
  const std::array<std::string, 7> times = TimesByDay(std::move(spans));
  std::string text;
  std::uint8_t done = 0;
  for (std::size_t day = 0; day < 7; ++day) {
    if (times[day].empty() || (done >> day & 1) != 0) continue;
    std::uint8_t same = 0;
    for (std::size_t other = day; other < 7; ++other) {
      if (times[other] == times[day]) same = static_cast<std::uint8_t>(same | (1u << other));
    }
    done = static_cast<std::uint8_t>(done | same);
    if (same == 0x7F && times[day] == "00:00-24:00") return "24/7";
    if (!text.empty()) text += "; ";
    text += DayList(same, names) + " " + times[day];
  }
  return text;
}

std::string HoursText(const google::protobuf::RepeatedPtrField<store::v1::WeeklyRange>& hours,
                      std::string_view language) {
  return HoursText(Spans(hours), language);
}
std::string HoursText(const google::protobuf::RepeatedPtrField<store::v1::RosterEntry>& roster,
                      std::string_view language) {
  return HoursText(Spans(roster), language);
}

std::string DayHoursText(const google::protobuf::RepeatedPtrField<store::v1::WeeklyRange>& hours, int weekday) {
  return TimesOf(Spans(hours), weekday);
}
std::string DayHoursText(const google::protobuf::RepeatedPtrField<store::v1::RosterEntry>& roster, int weekday) {
  return TimesOf(Spans(roster), weekday);
}

std::string_view DayName(int weekday, std::string_view language) {
  return NamesIn(language).names[static_cast<std::size_t>(std::clamp(weekday, 1, 7) - 1)];
}

}  // namespace medidesk::assistant
