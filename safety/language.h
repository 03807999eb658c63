// Guesses the language of a message among those that have tables and texts: en, es, pt, fr, hi,
// hi-Latn (Hindi in Latin letters) and ar. By script first, then by frequent words.
#pragma once

#include <string_view>

namespace medidesk::safety {

// BCP 47 tag. `hint` (empty: "en") is the answer when no language is clearly ahead, for example for
// "ok" or a number, and wins a close race; pass a verdict's language or the conversation's last one.
// The view returned is `hint` or a constant. Thread-safe, linear.
std::string_view GuessLanguage(std::string_view text, std::string_view hint = "en");

}  // namespace medidesk::safety
