#include "assistant/facts/fact_text.h"

#include <fmt/format.h>

#include <string_view>

#include "assistant/facts/hours_text.h"

namespace medidesk::assistant {
namespace {

template <typename Texts>
std::string Joined(const Texts& texts, std::string_view separator) {
  std::string joined;
  for (const std::string& text : texts) {
    if (!joined.empty()) joined += separator;
    joined += text;
  }
  return joined;
}

// Facts are lines: a line end inside a value would look like the next fact.
std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c != '\n' && c != '\r') {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  return line;
}

void AddLine(std::string_view label, std::string_view value, std::string* text) {
  if (value.empty()) return;
  *text += fmt::format("{}: {}\n", label, OneLine(value));
}

// Sentences one after the other.
void AddSentence(std::string_view sentence, std::string* text) {
  if (sentence.empty()) return;
  if (!text->empty() && text->back() != '.' && text->back() != ':') *text += '.';
  if (!text->empty()) *text += ' ';
  *text += OneLine(sentence);
}

std::pair<std::string, std::string> TitleParts(const std::string& title) {
  const std::size_t comma = title.find(", ");
  if (comma != std::string::npos) return {title.substr(0, comma), title.substr(comma + 2)};
  if (!title.empty() && title.back() == '.') return {title, ""};
  return {"", title};
}

}  // namespace

std::string HospitalText(const store::v1::Hospital& hospital) {
  std::string text;
  AddLine("Hospital", hospital.name(), &text);
  AddLine("About", hospital.about(), &text);
  AddLine("Address", hospital.address(), &text);
  AddLine("Emergency department", hospital.emergency_address(), &text);
  AddLine("Emergency number", hospital.emergency_number(), &text);
  AddLine("Crisis line", hospital.crisis_line(), &text);
  AddLine("Front desk phone", hospital.phone(), &text);
  AddLine("Front desk email", hospital.email(), &text);
  AddLine("Website", hospital.website(), &text);
  AddLine("Front desk hours", HoursText(hospital.desk_hours()), &text);
  std::string holidays;
  for (const store::v1::Holiday& holiday : hospital.holidays()) {
    if (!holidays.empty()) holidays += "; ";
    holidays += holiday.date() + " " + holiday.name();
  }
  AddLine("Front desk closed on", holidays, &text);
  AddLine("Time zone of all hours", hospital.timezone(), &text);
  AddLine("Languages of this chat", Joined(hospital.languages(), ", "), &text);
  AddLine("Insurers accepted", Joined(hospital.insurers(), "; "), &text);
  return text;
}

std::string VisitingText(const store::v1::VisitingHours& row) {
  std::string text =
      OneLine(row.area()) + ": " + (row.hours().empty() ? std::string("no visits") : HoursText(row.hours()));
  AddSentence(row.note(), &text);
  return text;
}

std::string DepartmentText(const store::v1::Department& row) {
  std::string text = OneLine(row.name());
  if (!row.aliases().empty()) text += " (" + OneLine(Joined(row.aliases(), ", ")) + ")";
  text += ":";
  AddSentence(row.description(), &text);
  AddSentence(row.location(), &text);
  if (!row.phone().empty()) AddSentence("Phone " + row.phone(), &text);
  if (!row.hours().empty()) AddSentence("Hours " + HoursText(row.hours()), &text);
  AddSentence(row.hours_note(), &text);
  return text;
}

std::string ShortDoctorName(const store::v1::Doctor& row) {
  const std::string prefix = TitleParts(row.title()).first;
  return OneLine(prefix.empty() ? row.name() : prefix + " " + row.name());
}

std::string DoctorName(const store::v1::Doctor& row) {
  const std::string suffix = TitleParts(row.title()).second;
  return ShortDoctorName(row) + (suffix.empty() ? std::string() : ", " + OneLine(suffix));
}

std::string DoctorText(const store::v1::Doctor& row, const std::string& department_name) {
  std::string text = DoctorName(row) + " (" + OneLine(department_name) + "):";
  AddSentence(Joined(row.specialties(), ", "), &text);
  AddSentence(Joined(row.qualifications(), ", "), &text);
  if (!row.languages().empty()) AddSentence("Speaks " + Joined(row.languages(), ", "), &text);
  // The rooms in the order of the roster; usually it is one.
  std::string rooms, last;
  for (const store::v1::RosterEntry& entry : row.roster()) {
    if (entry.room().empty() || entry.room() == last || rooms.find(entry.room()) != std::string::npos) continue;
    if (!rooms.empty()) rooms += ", ";
    rooms += entry.room();
    last = entry.room();
  }
  if (!row.roster().empty()) AddSentence("Consults " + HoursText(row.roster()), &text);
  if (!rooms.empty()) AddSentence("Room: " + rooms, &text);
  AddSentence(row.roster_note(), &text);
  if (!row.consultation_fee().empty()) AddSentence("Fee " + row.consultation_fee(), &text);
  return text;
}

std::string FaqText(const store::v1::Faq& row) {
  return "Q: " + OneLine(row.question()) + "\nA: " + OneLine(row.answer());
}

}  // namespace medidesk::assistant
