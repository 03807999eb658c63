// The phrases of the output checks. Each is written as the checks compare: lower case, no accents,
// one space between words, apostrophes dropped; `*` at the end takes any rest of the word.
#pragma once

#include <span>
#include <string_view>

namespace medidesk::assistant {

struct CheckPhrase {
  std::string_view rule;
  std::string_view words;
};

std::span<const CheckPhrase> CheckPhrases();

}  // namespace medidesk::assistant
