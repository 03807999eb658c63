#include "store/knowledge/weekly_hours.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "base/status.h"

namespace medidesk::store {
namespace {

constexpr int kDay = 1440;  // minutes
constexpr std::array<std::string_view, 7> kDayNames = {"monday", "tuesday",  "wednesday", "thursday",
                                                       "friday", "saturday", "sunday"};
constexpr std::array<std::string_view, 7> kShortNames = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

absl::Status Malformed(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument,
               fmt::format("expected {}; write e.g. \"Mon-Fri 08:00-18:00; Sat 09:00-13:00\"", what));
}

// Lower case words; hyphens of any kind joined with what stands around them.
std::vector<std::string> Words(std::string_view text) {
  std::string flat;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (text.substr(i, 3) == "\xE2\x80\x93") {  // en dash
      flat += '-';
      i += 2;
    } else if (c == ',' || c == ';' || c == '\n' || c == '\t' || c == '\r' || c == '&') {
      flat += ' ';
    } else {
      flat += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  std::vector<std::string> words;
  bool joins = false;  // the word before ended with a hyphen
  for (std::size_t at = 0; at < flat.size();) {
    const std::size_t begin = flat.find_first_not_of(' ', at);
    if (begin == std::string::npos) break;
    const std::size_t end = std::min(flat.find(' ', begin), flat.size());
    std::string word = flat.substr(begin, end - begin);
    at = end;
    if (!words.empty() && (joins || word.front() == '-')) {
      words.back() += word;
    } else if (word != "and") {
      words.push_back(std::move(word));
    } else {
      continue;
    }
    joins = words.back().back() == '-';
  }
  return words;
}

std::optional<int> Day(std::string_view word) {
  if (word.size() < 3) return std::nullopt;
  for (int day = 0; day < 7; ++day) {
    if (kDayNames[day].starts_with(word)) return day;
  }
  return std::nullopt;
}

// One bit for each day, Monday lowest; 0 when the word names no day.
std::uint8_t Days(std::string_view word) {
  if (word == "daily" || word == "everyday") return 0x7F;
  if (word == "weekdays") return 0x1F;
  if (word == "weekends") return 0x60;
  if (const auto day = Day(word)) return static_cast<std::uint8_t>(1u << *day);
  const std::size_t hyphen = word.find('-');
  if (hyphen == std::string_view::npos) return 0;
  const auto first = Day(word.substr(0, hyphen));
  const auto last = Day(word.substr(hyphen + 1));
  if (!first || !last) return 0;
  std::uint8_t days = 0;
  for (int day = *first;; day = (day + 1) % 7) {
    days |= static_cast<std::uint8_t>(1u << day);
    if (day == *last) return days;
  }
}

// "8:05" and "08:05" to minutes; up to 24:00.
std::optional<int> Minute(std::string_view word) {
  const std::size_t colon = word.find(':');
  if (colon == 0 || colon > 2 || word.size() != colon + 3) return std::nullopt;
  int parts[2] = {0, 0};
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (i == colon) continue;
    if (word[i] < '0' || word[i] > '9') return std::nullopt;
    int& part = parts[i > colon ? 1 : 0];
    part = part * 10 + (word[i] - '0');
  }
  const int minute = parts[0] * 60 + parts[1];
  if (parts[1] > 59 || minute > kDay) return std::nullopt;
  return minute;
}

std::optional<std::pair<int, int>> Span(std::string_view word) {
  const std::size_t hyphen = word.find('-');
  if (hyphen == std::string_view::npos) return std::nullopt;
  const auto start = Minute(word.substr(0, hyphen));
  auto end = Minute(word.substr(hyphen + 1));
  if (!start || !end || *start == kDay) return std::nullopt;
  if (*end <= *start) *end += kDay;
  return std::pair(*start, *end);
}

void Add(std::uint8_t days, int start, int end, WeeklyRanges* ranges) {
  for (int day = 0; day < 7; ++day) {
    if ((days >> day & 1) == 0) continue;
    v1::WeeklyRange* range = ranges->Add();
    range->set_weekday(static_cast<v1::Weekday>(day + 1));
    range->set_start_minute(start);
    range->set_end_minute(end);
  }
}

auto Order(const v1::WeeklyRange& range) {
  return std::tuple(static_cast<int>(range.weekday()), range.start_minute(), range.end_minute());
}

std::string Clock(int minute) {
  if (minute > kDay) minute -= kDay;
  return fmt::format("{:02}:{:02}", minute / 60, minute % 60);
}

std::string DayList(std::uint8_t days) {
  if (days == 0x7F) return "daily";
  std::string text;
  for (int day = 0; day < 7; ++day) {
    if ((days >> day & 1) == 0) continue;
    int last = day;
    while (last < 6 && (days >> (last + 1) & 1) != 0) ++last;
    if (!text.empty()) text += ", ";
    text += kShortNames[day];
    if (last > day + 1) {
      text += fmt::format("-{}", kShortNames[last]);
      day = last;
    }
  }
  return text;
}

}  // namespace

void SortWeeklyRanges(WeeklyRanges* ranges) {
  std::sort(ranges->begin(), ranges->end(), [](const auto& a, const auto& b) { return Order(a) < Order(b); });
}

absl::StatusOr<WeeklyRanges> ParseWeeklyHours(std::string_view text) {
  if (text.size() > kMaxHoursText) return Malformed(fmt::format("at most {} characters", kMaxHoursText));
  WeeklyRanges ranges;
  std::uint8_t days = 0;
  bool timed = false;  // a time or "closed" came since the last day
  for (const std::string& word : Words(text)) {
    if (word == "24/7") {
      if (days != 0 && !timed) return Malformed("\"24/7\" alone, or a time after each day");
      Add(0x7F, 0, kDay, &ranges);
      timed = true;
    } else if (const std::uint8_t more = Days(word)) {
      days = timed ? more : days | more;
      timed = false;
    } else if (word == "closed") {
      if (days == 0) return Malformed("a day before \"closed\"");
      timed = true;
    } else if (const auto span = Span(word)) {
      if (days == 0) return Malformed("a day before the first time");
      Add(days, span->first, span->second, &ranges);
      timed = true;
    } else {
      return Malformed("days and times of 24 hours");
    }
  }
  if (!timed) return Malformed(days == 0 ? "days and times" : "a time after each day");
  SortWeeklyRanges(&ranges);
  const auto end =
      std::unique(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return Order(a) == Order(b); });
  ranges.DeleteSubrange(static_cast<int>(end - ranges.begin()), static_cast<int>(ranges.end() - end));
  return ranges;
}

std::string FormatWeeklyHours(const WeeklyRanges& ranges) {
  WeeklyRanges sorted = ranges;
  SortWeeklyRanges(&sorted);
  std::array<std::string, 7> times;
  for (const v1::WeeklyRange& range : sorted) {
    std::string& of_day = times[std::clamp(static_cast<int>(range.weekday()), 1, 7) - 1];
    if (!of_day.empty()) of_day += ", ";
    of_day += fmt::format("{}-{}", Clock(range.start_minute()), Clock(range.end_minute()));
  }
  std::string text;
  std::uint8_t done = 0;
  for (int day = 0; day < 7; ++day) {
    if (times[day].empty() || (done >> day & 1) != 0) continue;
    std::uint8_t same = 0;
    for (int other = day; other < 7; ++other) {
      if (times[other] == times[day]) same |= static_cast<std::uint8_t>(1u << other);
    }
    done |= same;
    if (same == 0x7F && times[day] == "00:00-24:00") return "24/7";
    if (!text.empty()) text += "; ";
    text += fmt::format("{} {}", DayList(same), times[day]);
  }
  return text;
}

bool WeeklyRangesOverlap(const WeeklyRanges& ranges) {
  std::vector<std::pair<int, int>> spans;
  for (const v1::WeeklyRange& range : ranges) {
    const int midnight = (static_cast<int>(range.weekday()) - 1) * kDay;
    spans.emplace_back(midnight + range.start_minute(), midnight + range.end_minute());
  }
  std::sort(spans.begin(), spans.end());
  for (std::size_t i = 0; i + 1 < spans.size(); ++i) {
    if (spans[i + 1].first < spans[i].second) return true;
  }
  return spans.size() > 1 && spans.back().second > spans.front().first + 7 * kDay;
}

}  // namespace medidesk::store
