#include "assistant/facts/fact_matches.h"

#include <algorithm>
#include <set>

#include "assistant/facts/words.h"

namespace medidesk::assistant {
namespace {

constexpr std::size_t kCandidates = 48;

std::string_view Primary(std::string_view tag) { return tag.substr(0, tag.find('-')); }

// Orders rows that say the same in different languages.
double LanguageFactor(const store::v1::Hospital& hospital, const store::v1::Faq& faq, std::string_view language) {
  const std::string& stored = faq.language().empty() ? hospital.default_language() : faq.language();
  if (stored.empty() || stored == language) return 1;
  if (Primary(stored) == Primary(language)) return 0.94;
  return stored == hospital.default_language() ? 0.95 : 0.8;
}

// `needed`: words without which a row is no answer.
FaqMatch Best(const FactBook& book, std::string_view text, std::string_view language,
              const std::vector<std::string>& needed) {
  FaqMatch best;
  double best_rank = 0;
  for (const Match& match : book.index().Search(text, kCandidates)) {
    const Hit hit = book.Document(match.document, match.score);
    if (hit.kind != FactKind::kFaq) continue;
    double likeness = match.likeness;
    for (const std::string& word : needed) {
      if (!book.index().Holds(match.document, word)) likeness *= 0.6;
    }
    const double rank = likeness * LanguageFactor(book.facts().hospital(), book.facts().faqs(hit.row), language);
    if (rank <= best_rank) continue;
    best_rank = rank;
    best = {hit.row, likeness};
  }
  return best;
}

// Names like "physician" say no more than "doctor".
bool SaysOnlyDoctor(const std::vector<std::string>& words) {
  static const std::set<std::string> kGeneric = {"doctor",       "specialist", "department", "hospital",
                                                 "consultation", "visit",      "patient"};
  return std::all_of(words.begin(), words.end(), [](const auto& word) { return kGeneric.contains(word); });
}

// Rows with a name whose words are all in the question; only those with the longest such name.
std::vector<int> Named(const std::vector<NamedRow>& names, const Question& question) {
  std::size_t longest = 0;
  std::vector<int> rows;
  for (const NamedRow& name : names) {
    if (name.words.size() < longest || SaysOnlyDoctor(name.words)) continue;
    if (!std::all_of(name.words.begin(), name.words.end(), [&](const auto& word) { return question.Has(word); }))
      continue;
    if (name.words.size() > longest) rows.clear();
    longest = name.words.size();
    if (std::find(rows.begin(), rows.end(), name.row) == rows.end()) rows.push_back(name.row);
  }
  return rows;
}

bool HasFolded(const Question& question, const std::set<std::string>& words) {
  return std::any_of(question.folded.begin(), question.folded.end(),
                     [&](const auto& word) { return words.contains(word); });
}

// By family or given name. One name alone counts beside a word for doctor, or when it is all that was written;
// "Mr. Gupta" may be a patient.
std::vector<int> NamedDoctors(const FactBook& book, const Question& question) {
  static const std::set<std::string> kOthers = {"mr", "mrs", "ms", "miss", "shri", "smt", "patient"};
  const bool alone = question.folded.size() <= 3 && !HasFolded(question, kOthers);
  std::vector<int> rows;
  std::size_t most = 0;
  for (const NamedRow& name : book.doctor_names()) {
    std::size_t count = 0;
    for (const std::string& word : name.words) {
      if (word.size() >= 3 && question.Has(word)) ++count;
    }
    const bool enough = count >= 2 || (count == 1 && (question.Has("doctor") || alone));
    if (!enough || count < most) continue;
    if (count > most) rows.clear();
    most = count;
    rows.push_back(name.row);
  }
  return rows;
}

// "Dr. House": a word after the title that no row knows. After the bare title any word but a plain one is a
// name; after "doctor" only a word that no table has.
bool NamesUnknownDoctor(const FactBook& book, const Question& question) {
  static const std::set<std::string> kTitles = {"dr", "dra"};
  static const std::set<std::string> kWords = {"doctor", "doctora", "docteur", "doutor", "doutora"};
  static const std::set<std::string> kPlain = {"appointment", "fee",   "hour",   "consultation", "phone",
                                               "human",       "talk",  "list",   "today",        "sunday",
                                               "saturday",    "visit", "doctor", "language",     "available"};
  for (std::size_t i = 0; i + 1 < question.folded.size(); ++i) {
    const bool title = kTitles.contains(question.folded[i]), word = kWords.contains(question.folded[i]);
    const std::string& next = question.folded[i + 1];
    if ((!title && !word) || next.size() < 3) continue;
    const std::string known = IndexWord(next);
    if (known.empty() || kPlain.contains(known)) continue;
    if (title) return true;
    if (!IsTableWord(next) && !book.index().Knows(book.index().Corrected({known}).front())) return true;
  }
  return false;
}

}  // namespace

FaqMatch BestFaq(const FactBook& book, std::string_view text, std::string_view language) {
  return Best(book, text, language, {});
}

Matches MatchFacts(const FactBook& book, const Question& question, std::string_view language) {
  Matches matches;
  std::vector<std::string> needed;
  for (const char* word :
       {"fee", "appointment", "cancel", "video", "home", "refund", "night", "donate", "certificate"}) {
    if (question.Has(word)) needed.emplace_back(word);
  }
  matches.faq = Best(book, question.text, language, needed);
  matches.departments = Named(book.department_names(), question);
  matches.areas = Named(book.area_names(), question);
  matches.doctors = NamedDoctors(book, question);
  matches.unknown_doctor = matches.doctors.empty() && matches.departments.empty() && NamesUnknownDoctor(book, question);
  return matches;
}

}  // namespace medidesk::assistant
