// Guesses the language of a message among those that have tables and texts: en, es, pt, fr, de, id,
// sw, tr, hi-Latn (Hindi in Latin letters), hi, bn, ar, ur and zh. By script first, then by frequent
// words.
#pragma once

#include <span>
#include <string_view>

namespace medidesk::safety {

// BCP 47 tag. `hint` (empty: "en") is the answer when no language is clearly ahead, for example for
// "ok" or a number, and wins a close race; pass a verdict's language or the conversation's last one.
// The view returned is `hint` or a constant. Thread-safe, linear.
std::string_view GuessLanguage(std::string_view text, std::string_view hint = "en");

// Frequent words of a language, separated by spaces, not yet normalised.
struct FrequentList {
  std::string_view tag;
  std::string_view words;
};
std::span<const FrequentList> FrequentLists();

}  // namespace medidesk::safety
