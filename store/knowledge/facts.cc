#include "store/knowledge/facts.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <utf8proc.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_set>

#include "absl/time/time.h"

#include "store/knowledge/weekly_hours.h"

namespace medidesk::store {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Strings = google::protobuf::RepeatedPtrField<std::string>;

constexpr std::size_t kMaxProblems = 1000;
constexpr std::string_view kNamedKeys = "write 1 to 64 characters of a-z, 0-9, - and _, e.g. \"blood-bank\"";

enum class Lines { kOne, kMany };

// Characters, or nullopt for bytes that are not UTF-8 or characters that do not belong into a fact.
std::optional<int> CountCharacters(std::string_view text, Lines lines) {
  int count = 0;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t point = 0;
    const utf8proc_ssize_t size = utf8proc_iterate(bytes, left, &point);
    if (size <= 0) return std::nullopt;
    const auto category = utf8proc_category(point);
    const bool control = category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_ZL ||
                         category == UTF8PROC_CATEGORY_ZP || point == 0xFEFF || (point & 0xFFFE) == 0xFFFE;
    if (control && !(point == '\n' && lines == Lines::kMany)) return std::nullopt;
    bytes += size;
    left -= size;
    ++count;
  }
  return count;
}

bool IsLanguageTag(std::string_view text) {
  const std::size_t hyphen = std::min(text.find('-'), text.size());
  if (hyphen < 2 || hyphen > 3 || text.size() > 35 || text.back() == '-') return false;
  std::size_t part = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool lower = c >= 'a' && c <= 'z';
    if (c == '-') {
      if (i > hyphen && part < 2) return false;
      part = 0;
      continue;
    }
    if (!lower && (i < hyphen || !((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))) return false;
    if (++part > 8) return false;
  }
  return part >= 2;
}

bool IsHost(std::string_view text) {
  if (text.empty() || text.size() > 253 || text.find('.') == std::string_view::npos) return false;
  char before = '.';
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!plain && c != '-' && c != '.') return false;
    if ((c == '.' || c == '-') && before == '.') return false;
    if (c == '.' && before == '-') return false;
    before = c;
  }
  return before != '.' && before != '-';
}

bool IsPhone(std::string_view text, bool extension) {
  int digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (extension && text.substr(i, 3) == "ext") {
      i += 2;
      continue;
    }
    if (text[i] >= '0' && text[i] <= '9') {
      ++digits;
    } else if (text[i] != ' ' && text[i] != '+' && text[i] != '-') {
      return false;
    }
  }
  return digits >= 2;
}

bool IsDate(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  int parts[3] = {0, 0, 0};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 4 || i == 7) continue;
    if (text[i] < '0' || text[i] > '9') return false;
    int& part = parts[i < 4 ? 0 : i < 7 ? 1 : 2];
    part = part * 10 + (text[i] - '0');
  }
  using std::chrono::day, std::chrono::month, std::chrono::year;
  return parts[0] > 0 &&
         (year(parts[0]) / month(static_cast<unsigned>(parts[1])) / day(static_cast<unsigned>(parts[2]))).ok();
}

bool IsTimeZone(const std::string& text) {
  for (const char c : text) {  // the library opens a file of this name
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && c != '/' && c != '_' && c != '+' && c != '-') return false;
  }
  absl::TimeZone zone;
  return !text.empty() && text.size() <= 64 && text.front() != '/' && absl::LoadTimeZone(text, &zone);
}

// Host of the URL that follows "://".
std::string HostAt(std::string_view rest) {
  std::string host;
  for (const char c : rest) {
    if (c >= 'A' && c <= 'Z') {
      host += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '@') {
      host += c;
    } else {
      break;
    }
  }
  while (!host.empty() && host.back() == '.') host.pop_back();
  return host;
}

bool IsAllowed(const std::string& host, const Strings& allowed) {
  return std::any_of(allowed.begin(), allowed.end(), [&host](const std::string& own) {
    return host == own ||
           (host.size() > own.size() && host.ends_with(own) && host[host.size() - own.size() - 1] == '.');
  });
}

class Checker {
 public:
  explicit Checker(const Facts& facts) : facts_(facts) {}

  std::vector<FactProblem> Run() {
    if (!facts_.has_hospital()) {
      Add("hospital", "the hospital's settings are missing; write the section hospital: with name, timezone and so on");
    } else {
      CheckHospital(facts_.hospital());
    }
    Count("departments", facts_.departments_size(), kMaxDepartments);
    Count("doctors", facts_.doctors_size(), kMaxDoctors);
    Count("faqs", facts_.faqs_size(), kMaxFaqs);
    Count("visiting_hours", facts_.visiting_hours_size(), kMaxVisitingHours);
    Rows("departments", facts_.departments(), [this](const auto& row) { CheckDepartment(row); });
    for (const v1::Department& row : facts_.departments()) departments_.insert(row.key());
    Rows("doctors", facts_.doctors(), [this](const auto& row) { CheckDoctor(row); });
    Rows("faqs", facts_.faqs(), [this](const auto& row) { CheckFaq(row); });
    Rows("visiting_hours", facts_.visiting_hours(), [this](const auto& row) { CheckVisitingHours(row); });
    if (facts_.ByteSizeLong() > kMaxFactsBytes) {
      Add("", fmt::format("the facts exceed {} bytes in all; remove rows or shorten texts", kMaxFactsBytes));
    }
    return std::move(problems_);
  }

 private:
  void Add(std::string path, std::string text) {
    if (problems_.size() < kMaxProblems) problems_.push_back({std::move(path), std::move(text)});
  }
  void AddField(std::string_view field, std::string text) {
    Add(row_.empty() ? std::string(field) : fmt::format("{}.{}", row_, field), std::move(text));
  }

  void Count(std::string_view section, int count, int most) {
    if (count > most) Add(std::string(section), fmt::format("more than {} rows; remove some", most));
  }

  template <typename Row, typename Check>
  void Rows(std::string_view section, const google::protobuf::RepeatedPtrField<Row>& rows, Check check) {
    std::unordered_set<std::string_view> keys;
    for (int i = 0; i < rows.size() && problems_.size() < kMaxProblems; ++i) {
      row_ = fmt::format("{}[{}]", section, i);
      const std::string& key = rows[i].key();
      if (!IsKnowledgeKey(key)) {
        AddField("key", fmt::format("expected a key; {}", kNamedKeys));
      } else if (!keys.insert(key).second) {
        AddField("key", fmt::format("another row of {} has this key already; give each row a key of its own", section));
      }
      check(rows[i]);
    }
    row_.clear();
  }

  void Check(std::string_view field, const std::string& text, int least, int most, Lines lines = Lines::kOne) {
    const auto count = CountCharacters(text, lines);
    if (!count) {
      AddField(field, lines == Lines::kOne ? "expected one line of UTF-8 text without control characters; retype it"
                                           : "expected UTF-8 text without control characters; retype it");
    } else if (*count < least) {
      AddField(field, fmt::format("missing or empty; write {} to {} characters", least, most));
    } else if (*count > most) {
      AddField(field, fmt::format("longer than {} characters; shorten it", most));
    }
  }

  void CheckList(std::string_view field, const Strings& texts, int most, int longest) {
    if (texts.size() > most) AddField(field, fmt::format("more than {} entries; remove some", most));
    std::unordered_set<std::string_view> seen;
    for (int i = 0; i < std::min(texts.size(), most); ++i) {
      const std::string item = fmt::format("{}[{}]", field, i);
      Check(item, texts[i], 1, longest);
      if (!seen.insert(texts[i]).second) AddField(item, "this entry stands in the list already; remove it");
    }
  }

  void CheckLanguages(std::string_view field, const Strings& tags) {
    CheckList(field, tags, 20, 35);
    for (int i = 0; i < std::min(tags.size(), 20); ++i) {
      if (!tags[i].empty() && !IsLanguageTag(tags[i])) {
        AddField(fmt::format("{}[{}]", field, i), "expected a language tag; write e.g. en, hi or pt-BR");
      }
    }
  }

  void CheckPhone(std::string_view field, const std::string& phone, bool extension = false) {
    const std::size_t most = extension ? 40 : 20;
    if (!phone.empty() && (phone.size() > most || !IsPhone(phone, extension))) {
      AddField(field, fmt::format("expected a phone number of at most {} digits, spaces, + and -{}; "
                                  "write e.g. \"+91 22 5550 0100\"",
                                  most, extension ? ", with ext before an extension" : ""));
    }
  }

  bool CheckSpan(const std::string& field, int weekday, int start, int end) {
    if (weekday >= 1 && weekday <= 7 && start >= 0 && start < 1440 && end > start && end <= start + 1440) return true;
    AddField(field, "expected a weekday, a start of 0 to 1439 minutes and an end up to 24 hours later");
    return false;
  }

  void CheckHours(std::string_view field, const WeeklyRanges& ranges) {
    if (ranges.size() > 28) {
      AddField(field, "more than 28 spans in a week; join or remove some");
      return;
    }
    for (int i = 0; i < ranges.size(); ++i) {
      const v1::WeeklyRange& range = ranges[i];
      if (!CheckSpan(fmt::format("{}[{}]", field, i), range.weekday(), range.start_minute(), range.end_minute()))
        return;
    }
    if (WeeklyRangesOverlap(ranges)) AddField(field, "two of these hours overlap; write each hour of the week once");
  }

  void CheckLinks(std::string_view field, const std::string& text) {
    for (std::size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at + 3)) {
      if (std::string_view(text).substr(0, at).ends_with("https") &&
          IsAllowed(HostAt(std::string_view(text).substr(at + 3)), facts_.hospital().allowed_link_hosts())) {
        continue;
      }
      AddField(field, "a link must begin with https:// and a host of hospital.allowed_link_hosts; add the host there");
      return;
    }
  }

  void CheckHospital(const v1::Hospital& hospital) {
    row_ = "hospital";
    Check("name", hospital.name(), 1, 120);
    if (!IsTimeZone(hospital.timezone())) {
      AddField("timezone", "expected an IANA time zone; write e.g. Asia/Kolkata or America/Sao_Paulo");
    }
    CheckLanguages("languages", hospital.languages());
    if (hospital.languages().empty()) AddField("languages", "missing; write e.g. [en, hi]");
    if (!Speaks(hospital.default_language())) {
      AddField("default_language", "expected one of hospital.languages; write e.g. en");
    }
    if (hospital.emergency_number().empty())
      AddField("emergency_number", "missing; write the number to call, e.g. \"112\"");
    CheckPhone("emergency_number", hospital.emergency_number());
    CheckPhone("crisis_line", hospital.crisis_line());
    CheckPhone("phone", hospital.phone());
    Check("email", hospital.email(), 0, 120);
    if (const std::string& email = hospital.email(); !email.empty()) {
      const std::size_t at = email.find('@');
      if (at == 0 || at == std::string::npos || email.find(' ') != std::string::npos ||
          !IsHost(HostAt(std::string_view(email).substr(at + 1)))) {
        AddField("email", "expected an email address; write e.g. info@hospital.example");
      }
    }
    Check("website", hospital.website(), 0, 200);
    if (!hospital.website().empty() && !hospital.website().starts_with("https://")) {
      AddField("website", "expected a link; write e.g. https://www.hospital.example");
    } else {
      CheckLinks("website", hospital.website());
    }
    Check("address", hospital.address(), 1, 300);
    Check("emergency_address", hospital.emergency_address(), 0, 300);
    if (hospital.desk_hours().empty())
      AddField("desk_hours", "missing; write e.g. \"Mon-Fri 08:00-18:00; Sat 09:00-13:00\"");
    CheckHours("desk_hours", hospital.desk_hours());
    CheckHolidays(hospital);
    CheckList("allowed_link_hosts", hospital.allowed_link_hosts(), 50, 253);
    for (int i = 0; i < std::min(hospital.allowed_link_hosts_size(), 50); ++i) {
      if (!IsHost(hospital.allowed_link_hosts(i))) {
        AddField(fmt::format("allowed_link_hosts[{}]", i),
                 "expected a host name in lower case; write e.g. www.hospital.example");
      }
    }
    CheckList("insurers", hospital.insurers(), 200, 120);
    Check("persona_name", hospital.persona_name(), 0, 40);
    Check("persona_style", hospital.persona_style(), 0, 500);
    Check("about", hospital.about(), 0, 2000, Lines::kMany);
    row_.clear();
  }

  void CheckHolidays(const v1::Hospital& hospital) {
    if (hospital.holidays_size() > 100) AddField("holidays", "more than 100 entries; remove the days that are past");
    std::unordered_set<std::string_view> dates;
    for (int i = 0; i < std::min(hospital.holidays_size(), 100); ++i) {
      const v1::Holiday& holiday = hospital.holidays(i);
      const std::string date = fmt::format("holidays[{}].date", i);
      if (!IsDate(holiday.date())) {
        AddField(date, "expected a date; write e.g. 2027-01-26");
      } else if (!dates.insert(holiday.date()).second) {
        AddField(date, "this date stands in the list already; remove it");
      }
      Check(fmt::format("holidays[{}].name", i), holiday.name(), 1, 80);
    }
  }

  void CheckDepartment(const v1::Department& row) {
    Check("name", row.name(), 1, 120);
    CheckList("aliases", row.aliases(), 50, 80);
    Check("description", row.description(), 0, 2000, Lines::kMany);
    CheckLinks("description", row.description());
    Check("location", row.location(), 0, 200);
    CheckPhone("phone", row.phone(), /*extension=*/true);
    CheckHours("hours", row.hours());
    Check("hours_note", row.hours_note(), 0, 200);
  }

  void CheckDoctor(const v1::Doctor& row) {
    Check("name", row.name(), 1, 120);
    Check("title", row.title(), 0, 80);
    if (!departments_.contains(row.department_key())) {
      AddField("department_key", "there is no department of this key; write the key of one in departments");
    }
    CheckList("specialties", row.specialties(), 30, 80);
    CheckLanguages("languages", row.languages());
    CheckList("qualifications", row.qualifications(), 30, 80);
    CheckRoster(row);
    Check("roster_note", row.roster_note(), 0, 200);
    Check("consultation_fee", row.consultation_fee(), 0, 120);
  }

  void CheckRoster(const v1::Doctor& row) {
    if (row.roster_size() > 50) {
      AddField("roster", "more than 50 consultations in a week; join or remove some");
      return;
    }
    WeeklyRanges ranges;
    for (int i = 0; i < row.roster_size(); ++i) {
      const v1::RosterEntry& entry = row.roster(i);
      Check(fmt::format("roster[{}].room", i), entry.room(), 0, 80);
      if (!CheckSpan(fmt::format("roster[{}]", i), entry.weekday(), entry.start_minute(), entry.end_minute())) return;
      v1::WeeklyRange* range = ranges.Add();
      range->set_weekday(entry.weekday());
      range->set_start_minute(entry.start_minute());
      range->set_end_minute(entry.end_minute());
    }
    if (WeeklyRangesOverlap(ranges)) AddField("roster", "two consultations overlap; a doctor is in one room at a time");
  }

  void CheckFaq(const v1::Faq& row) {
    Check("question", row.question(), 1, 300);
    CheckList("alternatives", row.alternatives(), 50, 300);
    Check("answer", row.answer(), 1, 4000, Lines::kMany);
    CheckLinks("answer", row.answer());
    if (!IsKnowledgeKey(row.category())) AddField("category", fmt::format("expected a topic; {}", kNamedKeys));
    if (!row.language().empty() && !Speaks(row.language())) {
      AddField("language", "expected one of hospital.languages; leave it out for the default language");
    }
    Check("source", row.source(), 0, 200);
  }

  void CheckVisitingHours(const v1::VisitingHours& row) {
    Check("area", row.area(), 1, 120);
    CheckList("aliases", row.aliases(), 50, 80);
    CheckHours("hours", row.hours());
    Check("note", row.note(), 0, 500);
  }

  bool Speaks(const std::string& tag) const {
    const Strings& tags = facts_.hospital().languages();
    return std::find(tags.begin(), tags.end(), tag) != tags.end();
  }

  const Facts& facts_;
  std::string row_;  // path of the row being checked
  std::unordered_set<std::string_view> departments_;
  std::vector<FactProblem> problems_;
};

void NormalizeText(std::string* text) {
  std::erase(*text, '\r');
  const auto space = [](char c) { return c == ' ' || c == '\n' || c == '\t'; };
  while (!text->empty() && space(text->back())) text->pop_back();
  text->erase(text->begin(), std::find_if_not(text->begin(), text->end(), space));
}

template <typename Rows>
void SortByKey(Rows* rows) {
  std::stable_sort(rows->begin(), rows->end(), [](const auto& a, const auto& b) { return a.key() < b.key(); });
}

}  // namespace

bool IsKnowledgeKey(const std::string& text) {
  if (text.empty() || text.size() > 64 || text.front() == '-' || text.front() == '_') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
}

void TrimTexts(Message* row) {
  const auto* reflection = row->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(*row, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->type() == FieldDescriptor::TYPE_MESSAGE && field->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(*row, field); ++i) {
        TrimTexts(reflection->MutableRepeatedMessage(row, field, i));
      }
    } else if (field->type() == FieldDescriptor::TYPE_STRING && field->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(*row, field); ++i) {
        std::string text = reflection->GetRepeatedString(*row, field, i);
        NormalizeText(&text);
        reflection->SetRepeatedString(row, field, i, std::move(text));
      }
    } else if (field->type() == FieldDescriptor::TYPE_STRING) {
      std::string text = reflection->GetString(*row, field);
      NormalizeText(&text);
      reflection->SetString(row, field, std::move(text));
    }
  }
}

void NormalizeRow(Message* row) {
  TrimTexts(row);
  if (auto* hospital = dynamic_cast<v1::Hospital*>(row)) {
    SortWeeklyRanges(hospital->mutable_desk_hours());
    auto* holidays = hospital->mutable_holidays();
    std::stable_sort(holidays->begin(), holidays->end(),
                     [](const auto& a, const auto& b) { return a.date() < b.date(); });
  } else if (auto* department = dynamic_cast<v1::Department*>(row)) {
    SortWeeklyRanges(department->mutable_hours());
  } else if (auto* visiting = dynamic_cast<v1::VisitingHours*>(row)) {
    SortWeeklyRanges(visiting->mutable_hours());
  } else if (auto* doctor = dynamic_cast<v1::Doctor*>(row)) {
    const auto order = [](const v1::RosterEntry& entry) {
      return std::tuple(static_cast<int>(entry.weekday()), entry.start_minute(), entry.end_minute(), entry.room());
    };
    auto* roster = doctor->mutable_roster();
    std::sort(roster->begin(), roster->end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
  }
}

void NormalizeFacts(Facts* facts) {
  if (facts->has_hospital()) NormalizeRow(facts->mutable_hospital());
  for (auto& row : *facts->mutable_departments()) NormalizeRow(&row);
  for (auto& row : *facts->mutable_doctors()) NormalizeRow(&row);
  for (auto& row : *facts->mutable_faqs()) NormalizeRow(&row);
  for (auto& row : *facts->mutable_visiting_hours()) NormalizeRow(&row);
  SortByKey(facts->mutable_departments());
  SortByKey(facts->mutable_doctors());
  SortByKey(facts->mutable_faqs());
  SortByKey(facts->mutable_visiting_hours());
}

std::vector<FactProblem> CheckFacts(const Facts& facts) { return Checker(facts).Run(); }

}  // namespace medidesk::store
