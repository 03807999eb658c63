// The phrases of the output checks. Each is written as the checks compare: lower case, no accents,
// one space between words, apostrophes dropped. A word may be
//   word*     any word that begins so
//   ...       up to four words of the same sentence
//   @drug     a medicine; @illness: an illness (CheckWords)
#pragma once

#include <span>
#include <string_view>

namespace medidesk::assistant {

enum class Unless : unsigned char {
  kNever,
  // It is said of a case, or denied: "if your appointment has been moved", "is confirmed once you pay".
  kConditional,
  // It is refused: "I cannot say whether to take aspirin".
  kRefused,
};

struct CheckPhrase {
  std::string_view rule;
  std::string_view words;
  Unless unless = Unless::kNever;
};

std::span<const CheckPhrase> CheckPhrases();

enum class WordSet {
  kDrug,
  kIllness,
  kDoseUnit,         // after a number: "500 mg"
  kLiquidUnit,       // likewise, but water may have it
  kDoseCount,        // number words
  kWater,            // in a sentence with a liquid unit
  kConditionBefore,  // Unless::kConditional: at most three words before the phrase
  kConditionAfter,   // right behind it
  kRefusal,          // Unless::kRefused: at most eight words before, without a comma between
};
std::span<const std::string_view> CheckWords(WordSet set);

}  // namespace medidesk::assistant
