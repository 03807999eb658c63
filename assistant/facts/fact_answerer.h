// Answers a patient's question from the stored facts alone: no model, no guess, no claim of an action.
//
// It knows a fixed set of questions (greeting, visiting hours, doctors, departments, booking, the hospital's
// own data) and retrieves FAQs for the rest. Below a confidence it says that it does not have the answer and
// offers the staff. A question that wants medical advice is never matched with facts: it is declined, with
// the ways to a doctor.
//
// Pure: time is an argument. Deterministic and thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "assistant/facts/fact_book.h"

namespace medidesk::assistant {

struct FactAnswer {
  std::string text;  // never empty
  // The row it comes from: "faq:<key>", "visiting_hours", "visiting_hours:<key>", "doctors", "doctor:<key>",
  // "departments", "department:<key>", "hospital", "booking", "greeting", "thanks", "bye", "advice", "none".
  std::string source;
  bool known = false;  // false: the text only says that the answer is not known, or that no advice is given
};

// `language`: BCP 47 tag of the answer; its sentences exist in en, es, pt, fr, hi, hi-Latn and ar, others read
// English. Facts stay in the language they are stored in. `question` may be any bytes.
FactAnswer AnswerFromFacts(const FactBook& book, std::string_view question, std::string_view language,
                           std::chrono::system_clock::time_point now);

}  // namespace medidesk::assistant
