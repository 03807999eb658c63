#include "assistant/facts/fact_answerer.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "assistant/facts/clock_text.h"
#include "assistant/facts/fact_matches.h"
#include "assistant/facts/fact_text.h"
#include "assistant/facts/frames.h"
#include "assistant/facts/hours_text.h"
#include "assistant/facts/question.h"

namespace medidesk::assistant {
namespace {

constexpr int kMaxListed = 14;              // rows in one answer
constexpr std::size_t kMaxQuestion = 2000;  // bytes that are looked at

std::string_view Primary(std::string_view tag) { return tag.substr(0, tag.find('-')); }

// The sentences of a message, at most three; more are one.
std::vector<std::string_view> Parts(std::string_view text) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("?!\n"), text.size());
    const std::string_view part = text.substr(0, end);
    if (part.find_first_not_of(" \t\r.,") != std::string_view::npos) parts.push_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (parts.size() > 3) parts.clear();
  return parts;
}

class Answerer {
 public:
  Answerer(const FactBook& book, std::string_view question, std::string_view language, SiteTime time)
      : book_(book),
        facts_(book.facts()),
        language_(language.empty() ? std::string("en") : std::string(language)),
        time_(std::move(time)),
        question_(ReadQuestion(question.substr(0, kMaxQuestion), time_.weekday_number)) {
    question_.words = book_.index().Corrected(question_.words);
    question_.set = {question_.words.begin(), question_.words.end()};
  }

  FactAnswer Answer() {
    if (question_.social != Social::kNone) return Polite();
    if (question_.wants_advice) return Advice();
    if (!facts_.has_hospital() && book_.index().size() == 0) {
      return {Say(Frame::kNoFacts, language_) + "\n" + Staff(), "none", false};
    }
    if (question_.words.empty()) return Unknown();

    matches_ = MatchFacts(book_, question_, language_);
    if (auto answer = Visiting()) return *answer;
    if (auto answer = Insurers()) return *answer;
    if (auto answer = Booking()) return *answer;
    if (auto answer = Doctors()) return *answer;
    if (auto answer = Departments()) return *answer;
    // The hospital's own wording first, then the department's row, then what is like the question.
    if (matches_.faq.sure() && matches_.faq.likeness >= 0.9) return Faq(matches_.faq.row);
    if (auto answer = Department()) return *answer;
    if (auto answer = Settings()) return *answer;
    if (matches_.faq.sure()) return Faq(matches_.faq.row);
    return Unknown();
  }

 private:
  bool Has(std::string_view word) const { return question_.Has(word); }
  bool HasAny(std::initializer_list<std::string_view> words) const { return question_.HasAny(words); }
  // As the word is folded: "see" is "se".
  bool Wrote(std::string_view folded) const {
    return std::find(question_.folded.begin(), question_.folded.end(), folded) != question_.folded.end();
  }
  const store::v1::Hospital& hospital() const { return facts_.hospital(); }

  // True when every word of the question is one of these, or one that `document` holds.
  bool OnlyAbout(std::initializer_list<std::string_view> words, const std::vector<std::string>& others) const {
    for (const std::string& word : question_.set) {
      const bool allowed = std::find(words.begin(), words.end(), word) != words.end() ||
                           std::find(others.begin(), others.end(), word) != others.end();
      if (!allowed) return false;
    }
    return true;
  }

  std::string Number() const {
    return hospital().emergency_number().empty() ? Say(Frame::kLocalEmergency, language_)
                                                 : hospital().emergency_number();
  }

  std::string Staff() const {
    std::string text = hospital().phone().empty() ? Say(Frame::kStaff, language_)
                                                  : Say(Frame::kStaffPhone, language_, {{"phone", hospital().phone()}});
    if (const std::string desk = Desk(); !desk.empty()) text += "\n" + desk;
    return text;
  }

  // Whether somebody sits at the desk, and when next. Empty when its hours are not known.
  std::string Desk() const {
    if (time_.desk_open)
      return Say(Frame::kDeskOpen, language_, {{"hours", HoursText(hospital().desk_hours(), language_)}});
    if (time_.next_open_days < 0) return "";
    std::string when;
    if (time_.next_open_days == 0) {
      when = Say(Frame::kToday, language_, {{"time", time_.next_open_time}});
    } else if (time_.next_open_days == 1) {
      when = Say(Frame::kTomorrow, language_, {{"time", time_.next_open_time}});
    } else {
      const std::string day =
          time_.next_open_days < 7 ? std::string(DayName(time_.next_open_weekday, language_)) : time_.next_open_date;
      when = Say(Frame::kOnDay, language_, {{"day", day}, {"time", time_.next_open_time}});
    }
    return Say(Frame::kDeskClosed, language_, {{"when", when}, {"number", Number()}});
  }

  // A known answer: the text, a note when its language is not the patient's, and where it stands.
  FactAnswer Known(std::string text, std::string source, std::string_view stored_language,
                   std::string detail = "") const {
    if (!stored_language.empty() && Primary(stored_language) != Primary(language_)) {
      text += "\n" + Say(Frame::kStoredIn, language_, {{"language", LanguageName(stored_language, language_)}});
    }
    std::string name = SourceName(source, language_);
    if (!detail.empty()) name += " (" + detail + ")";
    text += "\n" + Say(Frame::kSource, language_, {{"source", name}});
    return {std::move(text), std::move(source), true};
  }

  FactAnswer Polite() const {
    if (question_.social == Social::kThanks) return {Say(Frame::kThanks, language_), "thanks", true};
    if (question_.social == Social::kBye) return {Say(Frame::kBye, language_), "bye", true};
    const std::string name = hospital().name().empty() ? std::string("MediDesk") : hospital().name();
    const std::string persona = hospital().persona_name().empty() ? std::string("MediDesk") : hospital().persona_name();
    std::string text = Say(Frame::kGreeting, language_, {{"persona", persona}, {"hospital", name}});
    text += "\n" + Say(Frame::kCanTell, language_) + "\n" + Say(Frame::kWritePerson, language_);
    if (!time_.desk_open && time_.next_open_days >= 0) {
      text += " " + Desk();
    } else {
      text += " " + Say(Frame::kEmergency, language_, {{"number", Number()}});
    }
    return {std::move(text), "greeting", true};
  }

  FactAnswer Advice() const {
    return {Say(Frame::kAdvice, language_, {{"number", Number()}}) + "\n" + Staff(), "advice", false};
  }

  FactAnswer Unknown() const { return {Say(Frame::kUnknown, language_) + "\n" + Staff(), "none", false}; }

  // --- answers

  FactAnswer Faq(int row) const {
    const store::v1::Faq& faq = facts_.faqs(row);
    const std::string& stored = faq.language().empty() ? hospital().default_language() : faq.language();
    return Known(faq.answer(), "faq:" + faq.key(), stored, faq.source().empty() ? faq.question() : faq.source());
  }

  std::optional<FactAnswer> Visiting() const {
    if (facts_.visiting_hours().empty()) return std::nullopt;
    const std::vector<int>& areas = matches_.areas;
    const bool asks =
        Has("visit") || (Has("icu") && Has("hour")) || (Wrote("se") && HasAny({"patient", "ward", "icu"}));
    if (!asks || HasAny({"doctor", "appointment", "night", "bring", "food", "job", "specialist", "insurance", "bed",
                         "park", "pay", "fee", "consultation", "home", "document", "first", "limit"})) {
      return std::nullopt;
    }
    if (Has("stay") && !Has("hour")) return std::nullopt;
    // "May children visit" has an answer of its own; "children's ward" is an area.
    if (Has("child") && !HasAny({"hour", "ward"})) return std::nullopt;
    const bool about_areas = !areas.empty();
    std::string text = Say(Frame::kVisitingHours, language_);
    int listed = 0;
    for (int row = 0; row < facts_.visiting_hours_size() && listed < kMaxListed; ++row) {
      if (about_areas && std::find(areas.begin(), areas.end(), row) == areas.end()) continue;
      const store::v1::VisitingHours& area = facts_.visiting_hours(row);
      const std::string hours =
          area.hours().empty() ? Say(Frame::kNoVisits, language_) : HoursText(area.hours(), language_);
      text += "\n- " + area.area() + ": " + hours;
      if (about_areas && !area.note().empty()) text += ". " + area.note();
      ++listed;
    }
    std::string source = "visiting_hours";
    if (areas.size() == 1) source += ":" + facts_.visiting_hours(areas.front()).key();
    return Known(std::move(text), std::move(source), hospital().default_language());
  }

  std::optional<FactAnswer> Insurers() const {
    if (!Has("insurance") || hospital().insurers().empty()) return std::nullopt;
    // Papers, approvals and claims have answers of their own.
    if (HasAny({"fee", "claim", "document", "bill", "certificate", "hour", "where", "phone", "approval", "refund"})) {
      if (!Has("accept")) return std::nullopt;
    }
    if (!Has("accept") && matches_.faq.sure()) return std::nullopt;
    if (!Has("accept") && question_.set.size() > 3) return std::nullopt;
    std::string text = Say(Frame::kInsurers, language_);
    for (int i = 0; i < hospital().insurers_size() && i < 40; ++i) text += "\n- " + hospital().insurers(i);
    text += "\n" + Say(Frame::kInsurerAbsent, language_);
    return Known(std::move(text), "hospital:insurers", hospital().default_language());
  }

  std::optional<FactAnswer> Booking() const {
    const bool consultation = Has("consultation") && question_.set.size() <= 2 && matches_.faq.likeness < 0.9 &&
                              !HasAny({"fee", "hour", "video", "home", "where"});
    if (!Has("appointment") && !consultation) return std::nullopt;
    // A department and a loose match: the department says more.
    const bool generic = !matches_.faq.sure() || (!matches_.departments.empty() && matches_.faq.likeness < 0.8);
    std::string text = Say(Frame::kCannotBook, language_);
    if (!matches_.doctors.empty()) {
      text += "\n" + DoctorLines(matches_.doctors, question_.weekday);
    } else if (!matches_.departments.empty() && generic) {
      for (const int row : matches_.departments) text += "\n" + DepartmentLines(row);
    }
    const char* usual = HasAny({"cancel", "change"}) ? "change or cancel an appointment" : "how to book an appointment";
    const FaqMatch how = generic ? BestFaq(book_, usual, language_) : matches_.faq;
    std::string source = "booking", stored = hospital().default_language(), detail;
    if (how.sure()) {
      const store::v1::Faq& faq = facts_.faqs(how.row);
      text += "\n" + faq.answer();
      source = "faq:" + faq.key();
      if (!faq.language().empty()) stored = faq.language();
      detail = faq.question();
    } else {
      text += " " + Say(Frame::kHowToBook, language_);
    }
    text += "\n" + Staff();
    return Known(std::move(text), std::move(source), stored, detail);
  }

  std::string DoctorLine(const store::v1::Doctor& doctor, int weekday) const {
    std::string line = "- " + DoctorName(doctor);
    std::string specialties;
    for (const std::string& specialty : doctor.specialties())
      specialties += (specialties.empty() ? "" : ", ") + specialty;
    if (!specialties.empty()) line += " (" + specialties + ")";
    std::string hours = HoursText(doctor.roster(), language_);
    if (weekday != 0) {
      const std::string of_day = DayHoursText(doctor.roster(), weekday);
      if (!of_day.empty()) hours = std::string(DayName(weekday, language_)) + " " + of_day;
    }
    if (!hours.empty()) line += ": " + hours;
    std::set<std::string> rooms;
    for (const store::v1::RosterEntry& entry : doctor.roster()) {
      if (!entry.room().empty() && rooms.insert(entry.room()).second) line += ", " + entry.room();
    }
    if (!doctor.consultation_fee().empty())
      line += ". " + Say(Frame::kFee, language_) + ": " + doctor.consultation_fee();
    if (!doctor.roster_note().empty()) line += ". " + doctor.roster_note();
    return line;
  }

  std::string DoctorLines(const std::vector<int>& rows, int weekday) const {
    std::string text;
    int listed = 0;
    for (const int row : rows) {
      if (++listed > kMaxListed) break;
      if (!text.empty()) text += "\n";
      text += DoctorLine(facts_.doctors(row), weekday);
    }
    return text;
  }

  std::vector<int> DoctorsOf(const store::v1::Department& department, int weekday) const {
    std::vector<int> rows;
    for (int i = 0; i < facts_.doctors_size(); ++i) {
      const store::v1::Doctor& doctor = facts_.doctors(i);
      if (doctor.department_key() != department.key()) continue;
      if (weekday == 0 || !DayHoursText(doctor.roster(), weekday).empty()) rows.push_back(i);
    }
    return rows;
  }

  // The department's doctors, on the day asked for.
  std::string DepartmentDoctors(const store::v1::Department& department) const {
    const std::vector<int> rows = DoctorsOf(department, question_.weekday);
    if (question_.weekday == 0) {
      return Say(Frame::kDoctorsOf, language_, {{"department", department.name()}}) + "\n" + DoctorLines(rows, 0);
    }
    const Values values = {{"department", department.name()},
                           {"day", std::string(DayName(question_.weekday, language_))}};
    if (rows.empty()) return Say(Frame::kNoDoctorsOn, language_, values);
    return Say(Frame::kDoctorsOn, language_, values) + "\n" + DoctorLines(rows, question_.weekday);
  }

  std::string DepartmentLines(int row) const {
    const store::v1::Department& department = facts_.departments(row);
    std::string text = department.name();
    const auto add = [&](Frame label, const std::string& value) {
      if (!value.empty()) text += "\n" + Say(label, language_) + ": " + value;
    };
    std::string hours = HoursText(department.hours(), language_);
    if (!department.hours_note().empty()) hours += (hours.empty() ? "" : ". ") + department.hours_note();
    add(Frame::kHours, hours);
    add(Frame::kWhere, department.location());
    add(Frame::kPhone, department.phone().empty() ? hospital().phone() : department.phone());
    return text;
  }

  std::optional<FactAnswer> Doctors() const {
    if (!matches_.doctors.empty()) {
      if (!AboutDoctor()) return std::nullopt;
      std::string source = "doctors";
      if (matches_.doctors.size() == 1) source = "doctor:" + facts_.doctors(matches_.doctors.front()).key();
      return Known(DoctorLines(matches_.doctors, 0), std::move(source), hospital().default_language());
    }
    if (matches_.unknown_doctor) {
      return FactAnswer{Say(Frame::kNoDoctorNamed, language_) + "\n" + Staff(), "none", false};
    }
    const bool about_doctors =
        HasAny({"doctor", "specialist", "consultation"}) || question_.weekday != 0 || IsProfession();
    if (!about_doctors) return std::nullopt;
    if (!matches_.departments.empty() && !(Has("fee") && matches_.faq.sure())) {
      std::string text, source = "doctors";
      for (const int row : matches_.departments) {
        const store::v1::Department& department = facts_.departments(row);
        if (DoctorsOf(department, 0).empty() || !AboutDoctorsOf(row)) continue;
        if (!text.empty()) text += "\n";
        text += DepartmentDoctors(department);
      }
      if (!text.empty() &&
          (HasAny({"doctor", "specialist", "consultation"}) || IsProfession() || !matches_.faq.sure())) {
        return Known(std::move(text), std::move(source), hospital().default_language());
      }
    }
    if (matches_.faq.sure() || !HasAny({"doctor", "specialist"})) return std::nullopt;
    // A doctor, and nothing that says which.
    if (!OnlyAbout({"doctor", "specialist", "language", "consultation", "department", "hospital", "human", "phone",
                    "visit", "today", "list", "urgent", "see", "talk", "meet", "available", "availabl"},
                   {})) {
      return std::nullopt;
    }
    if (facts_.departments().empty()) return std::nullopt;
    return Known(DepartmentList() + "\n" + Say(Frame::kHowToBook, language_) + " " + Staff(), "departments",
                 hospital().default_language());
  }

  // Whether nothing in the question is strange to the department and its doctors; beside a word for doctor or
  // a day one strange word may be.
  bool AboutDoctorsOf(int department) const {
    static const std::set<std::string> kPlain = {
        "doctor", "specialist", "consultation", "department", "hospital", "hour",        "fee",       "see",
        "met",    "meet",       "talk",         "visit",      "human",    "appointment", "available", "today",
        "sunday", "saturday",   "language",     "list",       "where",    "phone",       "patient"};
    std::size_t strange = 0;
    for (const std::string& word : question_.set) {
      bool known =
          kPlain.contains(word) || book_.index().Holds(book_.DocumentOf(FactKind::kDepartment, department), word);
      for (const int doctor : DoctorsOf(facts_.departments(department), 0)) {
        known = known || book_.index().Holds(book_.DocumentOf(FactKind::kDoctor, doctor), word);
      }
      if (!known) ++strange;
    }
    const bool plain = HasAny({"doctor", "specialist", "hour"}) || IsProfession() || question_.weekday != 0;
    return strange == 0 || (plain && strange <= 1);
  }

  // Hours, fee, room: what a doctor's row tells. "How old is Dr. Iyer?" is something else.
  bool AboutDoctor() const {
    if (HasAny({"hour", "fee", "where", "phone", "language", "department", "specialist", "consultation", "available"}))
      return true;
    if (question_.weekday != 0) return true;
    std::set<std::string> own = {"doctor", "see", "met", "meet", "talk", "visit", "human", "appointment"};
    for (const int row : matches_.doctors) {
      for (const NamedRow& name : book_.doctor_names()) {
        if (name.row == row) own.insert(name.words.begin(), name.words.end());
      }
    }
    return std::all_of(question_.set.begin(), question_.set.end(),
                       [&](const auto& word) { return own.contains(word); });
  }

  // "cardiologist", "dentista": asks for a doctor by itself.
  bool IsProfession() const {
    for (const std::string& word : question_.folded) {
      for (const std::string_view end : {"logist", "logo", "loga", "logista", "logue", "dentist", "dentista",
                                         "dentiste", "atrist", "surgeon", "iatra", "iatre", "therapist"}) {
        const std::string_view one = word.ends_with('s') ? std::string_view(word).substr(0, word.size() - 1) : word;
        if (one.ends_with(end)) return true;
      }
    }
    return false;
  }

  std::string DepartmentList() const {
    std::string text = Say(Frame::kDepartments, language_) + " ";
    for (int i = 0; i < facts_.departments_size() && i < 60; ++i)
      text += (i == 0 ? "" : ", ") + facts_.departments(i).name();
    return text;
  }

  // "What departments do you have?", which is not "which department should I go to?".
  std::optional<FactAnswer> Departments() const {
    if (facts_.departments().empty() || !HasAny({"department", "specialist"}) ||
        !OnlyAbout({"department", "hospital", "list", "offer", "specialist", "available"}, {})) {
      return std::nullopt;
    }
    if (Wrote("should") || Wrote("go") || Wrote("need")) return std::nullopt;
    return Known(DepartmentList(), "departments", hospital().default_language());
  }

  std::optional<FactAnswer> Department() const {
    if (matches_.departments.empty()) return std::nullopt;
    // A price, a stay, a procedure: not what a department's row tells.
    std::vector<std::string> named;
    for (const NamedRow& name : book_.department_names()) {
      if (std::find(matches_.departments.begin(), matches_.departments.end(), name.row) != matches_.departments.end()) {
        named.insert(named.end(), name.words.begin(), name.words.end());
      }
    }
    if (!OnlyAbout({"hour", "where", "phone", "department", "hospital", "today", "sunday", "saturday", "clinic",
                    "floor", "block", "open", "specialist", "see", "address"},
                   named)) {
      return std::nullopt;
    }
    std::string text;
    for (const int row : matches_.departments) text += (text.empty() ? "" : "\n\n") + DepartmentLines(row);
    std::string source = "departments";
    if (matches_.departments.size() == 1)
      source = "department:" + facts_.departments(matches_.departments.front()).key();
    return Known(std::move(text), std::move(source), hospital().default_language());
  }

  std::optional<FactAnswer> Settings() const {
    const auto tell = [&](Frame label, const std::string& value, const char* field) -> std::optional<FactAnswer> {
      if (value.empty()) return std::nullopt;
      return Known(Say(label, language_) + ": " + value, std::string("hospital:") + field, "");
    };
    if (Has("emergency") && facts_.has_hospital() &&
        OnlyAbout({"emergency", "where", "phone", "hospital", "department", "entrance", "room", "hour"}, {})) {
      const std::string where =
          hospital().emergency_address().empty() ? hospital().address() : hospital().emergency_address();
      std::string text = Say(Frame::kEmergency, language_, {{"number", Number()}});
      if (!where.empty()) text += "\n" + Say(Frame::kWhere, language_) + ": " + where;
      return Known(std::move(text), "hospital:emergency", hospital().default_language());
    }
    if (HasAny({"where", "address"}) &&
        OnlyAbout({"where", "address", "hospital", "street", "map", "send", "city"}, {})) {
      return tell(Frame::kWhere, hospital().address(), "address");
    }
    if (Has("phone") && OnlyAbout({"phone", "hospital", "desk", "front", "human", "reception"}, {})) {
      return tell(Frame::kPhone, hospital().phone(), "phone");
    }
    if (Has("email") && OnlyAbout({"email", "hospital", "address", "where", "send"}, {})) {
      return tell(Frame::kWhere, hospital().email(), "email");
    }
    if (Has("hour") &&
        OnlyAbout({"hour", "hospital", "today", "sunday", "saturday", "desk", "front", "reception"}, {})) {
      return tell(Frame::kDeskHours, HoursText(hospital().desk_hours(), language_), "desk_hours");
    }
    return std::nullopt;
  }

  const FactBook& book_;
  const store::v1::GetFactsResponse& facts_;
  const std::string language_;
  const SiteTime time_;
  Question question_;
  Matches matches_;
};

}  // namespace

FactAnswer AnswerFromFacts(const FactBook& book, std::string_view question, std::string_view language,
                           std::chrono::system_clock::time_point now) {
  const SiteTime time = LocalTime(book.facts().hospital(), now);
  const FactAnswer whole = Answerer(book, question, language, time).Answer();
  if (whole.source == "advice") return whole;
  // Two questions in one message: both answers, when both are known.
  std::vector<FactAnswer> answers;
  std::set<std::string> sources;
  const std::vector<std::string_view> parts = Parts(question.substr(0, kMaxQuestion));
  if (parts.size() < 2) return whole;
  for (const std::string_view part : parts) {
    FactAnswer answer = Answerer(book, part, language, time).Answer();
    const bool polite = answer.source == "greeting" || answer.source == "thanks" || answer.source == "bye";
    if (answer.known && !polite && sources.insert(answer.source).second) answers.push_back(std::move(answer));
  }
  if (answers.empty() || (answers.size() == 1 && whole.known)) return whole;
  FactAnswer all = answers.front();
  for (std::size_t i = 1; i < answers.size(); ++i) all.text += "\n\n" + answers[i].text;
  return all;
}

}  // namespace medidesk::assistant
