// Which rows a question names: by retrieval for FAQs, by name for departments, doctors and visiting areas.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "assistant/facts/fact_book.h"
#include "assistant/facts/question.h"

namespace medidesk::assistant {

// From this likeness on an FAQ answers the question.
inline constexpr double kSureLikeness = 0.58;

struct FaqMatch {
  int row = -1;         // -1: none
  double likeness = 0;  // 0 to 1
  bool sure() const { return row >= 0 && likeness >= kSureLikeness; }
};

struct Matches {
  FaqMatch faq;
  std::vector<int> departments;  // those with the longest name in the question
  std::vector<int> areas;        // visiting areas, likewise
  std::vector<int> doctors;
  bool unknown_doctor = false;  // it names a doctor whom no row has
};

// Rows are indices into the book's facts. `language`: the patient's, to choose between rows that say the same.
Matches MatchFacts(const FactBook& book, const Question& question, std::string_view language);

// The FAQ nearest to `text`.
FaqMatch BestFaq(const FactBook& book, std::string_view text, std::string_view language);

}  // namespace medidesk::assistant
