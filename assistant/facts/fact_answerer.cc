#include "assistant/facts/fact_answerer.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "assistant/facts/clock_text.h"
#include "assistant/facts/fact_text.h"
#include "assistant/facts/frames.h"
#include "assistant/facts/hours_text.h"
#include "assistant/facts/question.h"
#include "assistant/facts/words.h"

namespace medidesk::assistant {
namespace {

constexpr double kSureLikeness = 0.60;  // of an FAQ that answers the question
constexpr std::size_t kCandidates = 48;
constexpr int kMaxListed = 14;              // rows in one answer
constexpr std::size_t kMaxQuestion = 2000;  // bytes that are looked at

std::string_view Primary(std::string_view tag) { return tag.substr(0, tag.find('-')); }

struct FaqMatch {
  int row = -1;
  double likeness = 0;
};

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

    faq_ = BestFaq();
    departments_ = Named(book_.department_names());
    doctors_ = NamedDoctors();
    if (auto answer = Visiting()) return *answer;
    if (auto answer = Insurers()) return *answer;
    if (auto answer = Booking()) return *answer;
    if (auto answer = Doctors()) return *answer;
    if (faq_.likeness >= kSureLikeness) return Faq(faq_.row);
    if (auto answer = Department()) return *answer;
    if (auto answer = Settings()) return *answer;
    return Unknown();
  }

 private:
  bool Has(std::string_view word) const { return question_.Has(word); }
  bool HasAny(std::initializer_list<std::string_view> words) const { return question_.HasAny(words); }
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

  // --- matching

  FaqMatch BestFaq() const {
    FaqMatch best;
    std::string query;
    for (const std::string& word : question_.words) query += word + " ";
    for (const Match& match : book_.index().Search(question_.text, kCandidates)) {
      const Hit hit = book_.Document(match.document, match.score);
      if (hit.kind != FactKind::kFaq) continue;
      double likeness = match.likeness * LanguageFactor(facts_.faqs(hit.row));
      // What the question turns on must be in the answer's row.
      for (const std::string_view word :
           {"fee", "cancel", "video", "home", "refund", "night", "donate", "certificate"}) {
        if (Has(word) && !book_.index().Holds(match.document, std::string(word))) likeness *= 0.6;
      }
      if (likeness > best.likeness) best = {hit.row, likeness};
    }
    return best;
  }

  double LanguageFactor(const store::v1::Faq& faq) const {
    const std::string& stored = faq.language().empty() ? hospital().default_language() : faq.language();
    if (stored.empty() || stored == language_) return 1;
    if (Primary(stored) == Primary(language_)) return 0.94;
    return Primary(stored) == Primary(hospital().default_language()) ? 0.95 : 0.8;
  }

  // Rows with a name whose words are all in the question; only those with the longest such name.
  std::vector<int> Named(const std::vector<NamedRow>& names) const {
    std::size_t longest = 0;
    std::vector<int> rows;
    for (const NamedRow& name : names) {
      if (name.words.size() < longest) continue;
      const bool all = std::all_of(name.words.begin(), name.words.end(), [&](const auto& word) { return Has(word); });
      if (!all) continue;
      if (name.words.size() > longest) rows.clear();
      longest = name.words.size();
      if (std::find(rows.begin(), rows.end(), name.row) == rows.end()) rows.push_back(name.row);
    }
    return rows;
  }

  // Doctors by family or given name; a single name counts beside a word for doctor, or in a short message.
  std::vector<int> NamedDoctors() const {
    std::vector<int> rows;
    std::size_t most = 0;
    for (const NamedRow& name : book_.doctor_names()) {
      std::size_t count = 0;
      for (const std::string& word : name.words) {
        if (word.size() >= 3 && Has(word)) ++count;
      }
      const bool enough = count >= 2 || (count == 1 && (Has("doctor") || question_.set.size() <= 2));
      if (!enough || count < most) continue;
      if (count > most) rows.clear();
      most = count;
      rows.push_back(name.row);
    }
    return rows;
  }

  // --- answers

  FactAnswer Faq(int row) const {
    const store::v1::Faq& faq = facts_.faqs(row);
    const std::string& stored = faq.language().empty() ? hospital().default_language() : faq.language();
    return Known(faq.answer(), "faq:" + faq.key(), stored, faq.source().empty() ? faq.question() : faq.source());
  }

  std::optional<FactAnswer> Visiting() const {
    if (facts_.visiting_hours().empty()) return std::nullopt;
    const std::vector<int> areas = Named(book_.area_names());
    const bool asks = Has("visit") || (Has("icu") && Has("hour"));
    if (!asks || HasAny({"doctor", "appointment", "stay", "night", "bring", "food", "job", "specialist", "insurance",
                         "bed", "park", "pay", "fee", "consultation", "home", "document", "first", "limit"})) {
      return std::nullopt;
    }
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
    if (!Has("accept") && faq_.likeness >= kSureLikeness) return std::nullopt;
    if (!Has("accept") && question_.set.size() > 3) return std::nullopt;
    std::string text = Say(Frame::kInsurers, language_);
    for (int i = 0; i < hospital().insurers_size() && i < 40; ++i) text += "\n- " + hospital().insurers(i);
    text += "\n" + Say(Frame::kInsurerAbsent, language_);
    return Known(std::move(text), "hospital:insurers", hospital().default_language());
  }

  std::optional<FactAnswer> Booking() const {
    if (!Has("appointment")) return std::nullopt;
    const bool generic = faq_.likeness < kSureLikeness;
    std::string text = Say(Frame::kCannotBook, language_);
    if (!doctors_.empty()) {
      text += "\n" + DoctorLines(doctors_, question_.weekday);
    } else if (!departments_.empty() && generic) {
      for (const int row : departments_) text += "\n" + DepartmentLines(row);
    }
    const FaqMatch how = generic ? HowToBook() : faq_;
    std::string source = "booking", stored = hospital().default_language(), detail;
    if (how.row >= 0) {
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

  // The hospital's own words on booking, changing or cancelling.
  FaqMatch HowToBook() const {
    FaqMatch best;
    const char* query = HasAny({"cancel", "change"}) ? "change or cancel an appointment" : "how to book an appointment";
    for (const Match& match : book_.index().Search(query, kCandidates)) {
      const Hit hit = book_.Document(match.document, match.score);
      if (hit.kind != FactKind::kFaq) continue;
      const double likeness = match.likeness * LanguageFactor(facts_.faqs(hit.row));
      if (likeness >= kSureLikeness && likeness > best.likeness) best = {hit.row, likeness};
    }
    return best;
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
    if (!doctors_.empty()) {
      std::string source = "doctors";
      if (doctors_.size() == 1) source = "doctor:" + facts_.doctors(doctors_.front()).key();
      return Known(DoctorLines(doctors_, 0), std::move(source), hospital().default_language());
    }
    if (NamesUnknownDoctor()) {
      return FactAnswer{Say(Frame::kNoDoctorNamed, language_) + "\n" + Staff(), "none", false};
    }
    const bool about_doctors =
        HasAny({"doctor", "specialist", "consultation"}) || question_.weekday != 0 || IsProfession();
    if (!about_doctors) return std::nullopt;
    if (!departments_.empty() && !(Has("fee") && faq_.likeness >= kSureLikeness)) {
      std::string text, source = "doctors";
      for (const int row : departments_) {
        const store::v1::Department& department = facts_.departments(row);
        if (DoctorsOf(department, 0).empty()) continue;
        if (!text.empty()) text += "\n";
        text += DepartmentDoctors(department);
      }
      if (!text.empty() &&
          (HasAny({"doctor", "specialist", "consultation"}) || IsProfession() || faq_.likeness < kSureLikeness)) {
        return Known(std::move(text), std::move(source), hospital().default_language());
      }
    }
    if (faq_.likeness >= kSureLikeness || !HasAny({"doctor", "specialist"})) return std::nullopt;
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

  // "cardiologist", "dentista": asks for a doctor by itself.
  bool IsProfession() const {
    for (const std::string& word : question_.folded) {
      for (const std::string_view end : {"logist", "logo", "loga", "logista", "logue", "dentist", "dentista",
                                         "dentiste", "atrist", "surgeon", "iatra", "iatre", "therapist"}) {
        if (word.size() > end.size() && std::string_view(word).ends_with(end)) return true;
        if (word == end) return true;
      }
    }
    return false;
  }

  // "Dr. House": a name after the title that no row and no table knows.
  bool NamesUnknownDoctor() const {
    static const std::set<std::string> kTitles = {"dr", "doctor", "doctora", "docteur", "doutor", "doutora", "dra"};
    for (std::size_t i = 0; i + 1 < question_.folded.size(); ++i) {
      if (!kTitles.contains(question_.folded[i])) continue;
      const std::string& next = question_.folded[i + 1];
      if (next.size() < 3 || IsTableWord(next)) continue;
      const std::string word = book_.index().Corrected({IndexWord(next)}).front();
      if (!book_.index().Knows(word)) return true;
    }
    return false;
  }

  std::string DepartmentList() const {
    std::string text = Say(Frame::kDepartments, language_) + " ";
    for (int i = 0; i < facts_.departments_size() && i < 60; ++i)
      text += (i == 0 ? "" : ", ") + facts_.departments(i).name();
    return text;
  }

  std::optional<FactAnswer> Department() const {
    if (departments_.empty()) {
      if (facts_.departments().empty() ||
          !OnlyAbout({"department", "hospital", "list", "offer", "specialist", "availabl"}, {})) {
        return std::nullopt;
      }
      if (!HasAny({"department", "specialist"})) return std::nullopt;
      return Known(DepartmentList(), "departments", hospital().default_language());
    }
    // A price, a stay, a procedure: not what a department's row tells.
    std::vector<std::string> named;
    for (const NamedRow& name : book_.department_names()) {
      if (std::find(departments_.begin(), departments_.end(), name.row) != departments_.end()) {
        named.insert(named.end(), name.words.begin(), name.words.end());
      }
    }
    if (!OnlyAbout({"hour", "where", "phone", "department", "hospital", "today", "sunday", "saturday", "clinic",
                    "floor", "block", "open", "specialist", "see", "address"},
                   named)) {
      return std::nullopt;
    }
    std::string text;
    for (const int row : departments_) text += (text.empty() ? "" : "\n\n") + DepartmentLines(row);
    std::string source = "departments";
    if (departments_.size() == 1) source = "department:" + facts_.departments(departments_.front()).key();
    return Known(std::move(text), std::move(source), hospital().default_language());
  }

  std::optional<FactAnswer> Settings() const {
    const auto tell = [&](Frame label, const std::string& value, const char* field) -> std::optional<FactAnswer> {
      if (value.empty()) return std::nullopt;
      return Known(Say(label, language_) + ": " + value, std::string("hospital:") + field, "");
    };
    if (Has("emergency") && question_.set.size() <= 3 && facts_.has_hospital()) {
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
  FaqMatch faq_;
  std::vector<int> departments_, doctors_;
};

}  // namespace

FactAnswer AnswerFromFacts(const FactBook& book, std::string_view question, std::string_view language,
                           std::chrono::system_clock::time_point now) {
  return Answerer(book, question, language, LocalTime(book.facts().hospital(), now)).Answer();
}

}  // namespace medidesk::assistant
