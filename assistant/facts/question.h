// What can be told about a question without the facts: is it a greeting, does it want medical advice, which
// day does it name. The words stand in question_data.cc.
#pragma once

#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace medidesk::assistant {

enum class Social { kNone, kGreeting, kThanks, kBye };

struct Question {
  std::string text;
  std::vector<std::string> folded;  // every word, as safety::Normalise spells it
  std::vector<std::string> words;   // index words (words.h), in order
  std::set<std::string> set;        // the same, each once

  Social social = Social::kNone;  // only when the message is nothing else
  // Wants an opinion on symptoms, medicines, doses, test values, risks: nothing that facts may answer.
  bool wants_advice = false;
  int weekday = 0;  // 1 to 7: the day it names; 0: none
  bool tomorrow = false, today = false;

  bool Has(std::string_view word) const { return set.contains(std::string(word)); }
  bool HasAny(std::initializer_list<std::string_view> words_) const {
    for (const std::string_view word : words_) {
      if (Has(word)) return true;
    }
    return false;
  }
};

// `today`: ISO weekday, for "today" and "tomorrow". Any bytes; linear.
Question ReadQuestion(std::string_view text, int today);

// Rows "group | word word ..." behind ReadQuestion; a word may be two joined by "_".
std::span<const std::string_view> QuestionRows();

}  // namespace medidesk::assistant
