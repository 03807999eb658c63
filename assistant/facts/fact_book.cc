#include "assistant/facts/fact_book.h"

#include <algorithm>
#include <map>
#include <utility>

#include "assistant/facts/fact_text.h"
#include "assistant/facts/tokens.h"
#include "assistant/facts/words.h"

namespace medidesk::assistant {
namespace {

constexpr std::string_view kSections[] = {"Visiting hours", "Departments", "Doctors", "Questions and answers"};

std::string_view Section(FactKind kind) { return kSections[static_cast<std::size_t>(kind)]; }

void AddWords(int row, const std::string& name, std::vector<NamedRow>* to) {
  if (std::vector<std::string> words = IndexWords(name); !words.empty()) to->push_back({row, std::move(words)});
}

// The name, and its parts: "Radiology and Imaging", "Ear, Nose and Throat (ENT)".
void AddName(int row, const std::string& name, std::vector<NamedRow>* to) {
  AddWords(row, name, to);
  std::string part;
  const auto end = [&] {
    if (!part.empty() && part != name) AddWords(row, part, to);
    part.clear();
  };
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == ',' || name[i] == '(' || name[i] == ')' || name[i] == '/') {
      end();
    } else if (name.compare(i, 5, " and ") == 0) {
      end();
      i += 4;
    } else {
      part += name[i];
    }
  }
  end();
}

// An answer that names an amount answers what something costs.
bool NamesAmount(const std::string& answer) {
  for (const char* sign : {"INR ", "USD ", "EUR ", "AED ", "BRL ", "MXN ", "Rs ", "Rs. ", "₹", "$", "€", "£"}) {
    if (answer.find(sign) != std::string::npos) return true;
  }
  return false;
}

template <typename Texts>
void Append(const Texts& texts, std::vector<std::string>* to) {
  to->insert(to->end(), texts.begin(), texts.end());
}

}  // namespace

std::shared_ptr<const FactBook> FactBook::Make(store::v1::GetFactsResponse facts) {
  return std::shared_ptr<const FactBook>(new FactBook(std::move(facts)));
}

FactBook::FactBook(store::v1::GetFactsResponse facts) : facts_(std::move(facts)) {
  if (facts_.has_hospital()) head_ = HospitalText(facts_.hospital());
  for (int i = 0; i < facts_.visiting_hours_size(); ++i) {
    const store::v1::VisitingHours& row = facts_.visiting_hours(i);
    IndexedTexts words;
    words.phrases = {row.area(), "visiting hours " + row.area()};
    for (const std::string& alias : row.aliases()) words.phrases.push_back("visiting hours " + alias);
    words.bodies = {row.note()};
    AddName(i, row.area(), &area_names_);
    for (const std::string& alias : row.aliases()) AddName(i, alias, &area_names_);
    Add(FactKind::kVisitingHours, i, VisitingText(row), std::move(words));
  }
  std::map<std::string, std::string> department_names;
  for (int i = 0; i < facts_.departments_size(); ++i) {
    const store::v1::Department& row = facts_.departments(i);
    department_names[row.key()] = row.name();
    IndexedTexts words;
    words.phrases = {row.name()};
    Append(row.aliases(), &words.phrases);
    AddName(i, row.name(), &department_names_);
    for (const std::string& alias : row.aliases()) AddName(i, alias, &department_names_);
    words.bodies = {row.description(), row.location(), row.hours_note(), "phone hours department"};
    Add(FactKind::kDepartment, i, DepartmentText(row), std::move(words));
  }
  for (int i = 0; i < facts_.doctors_size(); ++i) {
    const store::v1::Doctor& row = facts_.doctors(i);
    const auto department = department_names.find(row.department_key());
    const std::string department_name =
        department == department_names.end() ? row.department_key() : department->second;
    IndexedTexts words;
    words.phrases = {row.name()};
    Append(row.specialties(), &words.phrases);
    AddWords(i, row.name(), &doctor_names_);
    words.bodies = {row.title(), department_name, row.roster_note(), "doctor fee hours"};
    Add(FactKind::kDoctor, i, DoctorText(row, department_name), std::move(words));
  }
  for (int i = 0; i < facts_.faqs_size(); ++i) {
    const store::v1::Faq& row = facts_.faqs(i);
    IndexedTexts words;
    words.phrases = {row.question()};
    Append(row.alternatives(), &words.phrases);
    words.bodies = {row.answer(), row.category()};
    if (NamesAmount(row.answer())) words.bodies.push_back("fee");
    Add(FactKind::kFaq, i, FaqText(row), std::move(words));
  }
  index_.Finish();

  text_ = TextOf(std::vector<char>(rows_.size(), 1));
  tokens_ = EstimateTokens(text_);
}

void FactBook::Add(FactKind kind, int row, std::string text, IndexedTexts words) {
  index_.Add(words);
  rows_.push_back({kind, row, std::move(text)});
}

std::string_view FactBook::KeyOf(const Row& row) const {
  switch (row.kind) {
    case FactKind::kVisitingHours:
      return facts_.visiting_hours(row.row).key();
    case FactKind::kDepartment:
      return facts_.departments(row.row).key();
    case FactKind::kDoctor:
      return facts_.doctors(row.row).key();
    case FactKind::kFaq:
      return facts_.faqs(row.row).key();
  }
  return {};
}

Hit FactBook::Document(int document, double score) const {
  const Row& row = rows_[static_cast<std::size_t>(document)];
  return {row.kind, row.row, KeyOf(row), score, row.text};
}

int FactBook::DocumentOf(FactKind kind, int row) const {
  int document = row;
  if (kind > FactKind::kVisitingHours) document += facts_.visiting_hours_size();
  if (kind > FactKind::kDepartment) document += facts_.departments_size();
  if (kind > FactKind::kDoctor) document += facts_.doctors_size();
  return document;
}

std::vector<Hit> FactBook::Search(std::string_view query, std::size_t limit) const {
  std::vector<Hit> hits;
  for (const Match& match : index_.Search(query, limit)) hits.push_back(Document(match.document, match.score));
  return hits;
}

std::string FactBook::Select(std::string_view query, int token_budget) const {
  int left = token_budget - EstimateTokens(head_);
  std::vector<char> chosen(rows_.size(), 0);
  const auto choose = [&](std::size_t row) {
    if (chosen[row] != 0) return;
    const int tokens = EstimateTokens(rows_[row].text) + 2;
    if (tokens > left) return;
    left -= tokens;
    chosen[row] = 1;
  };
  // Whom a patient asks about is asked about most: visits.
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    if (rows_[row].kind == FactKind::kVisitingHours) choose(row);
  }
  for (const Match& match : index_.Search(query, rows_.size())) choose(static_cast<std::size_t>(match.document));

  return TextOf(chosen);
}

std::string FactBook::TextOf(const std::vector<char>& chosen) const {
  std::string text = head_;
  const FactKind* last = nullptr;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (chosen[i] == 0) continue;
    const Row& row = rows_[i];
    if (last == nullptr || *last != row.kind) {
      text += "\n";
      text += Section(row.kind);
      text += ":\n";
    }
    text += row.kind == FactKind::kFaq ? row.text + "\n" : "- " + row.text + "\n";
    last = &row.kind;
  }
  return text;
}

}  // namespace medidesk::assistant
