// Folds chat text into plain words, so that spelling habits and hidden characters do not change
// what a rule sees.
//
//   in:   "I can’t BREEEATHE!! 38,9°"        any bytes, UTF-8 or not
//   out:  i | cant | breathe   [sentence]   38.9 (number)
//
// What is folded: compatibility forms and case (NFKC casefold), accents, Arabic vowel signs and
// letter variants, nukta, nasal signs and long vowels of Devanagari and Bengali, traditional Chinese
// characters that the tables have, digits of other scripts,
// zero-width and format characters, and repeated letters ("breeeathe" and "brethe" stay apart,
// "bleeding" and "bleding" do not). Invalid bytes are dropped.
//
// Chinese is written without spaces: each of its characters is a word of its own.
//
// Tables and messages go through this same function. Thread-safe, linear in the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace medidesk::safety {

enum class Break : std::uint8_t { kNone, kClause, kSentence };

struct Token {
  std::uint32_t offset = 0;  // into Words::buffer, bytes
  std::uint16_t size = 0;    // bytes
  std::uint16_t letters = 0;
  Break before = Break::kNone;  // the strongest punctuation between this word and the one before
  bool number = false;
  double value = 0;  // of a number; "38,9" is 38.9
};

struct Words {
  std::string buffer;
  std::vector<Token> tokens;

  std::string_view Text(const Token& token) const { return std::string_view(buffer).substr(token.offset, token.size); }
  std::string_view Text(std::size_t index) const { return Text(tokens[index]); }
};

// Words longer than this many letters are cut: nobody's symptom is that long.
inline constexpr std::size_t kMaxWordLetters = 48;
// Words after this many are ignored (64 KiB of ordinary text has about 13,000).
inline constexpr std::size_t kMaxWords = 40'000;

Words Normalise(std::string_view text);

// The scripts a word can be written in, as far as this project can read them.
enum class Script : std::uint8_t { kOther, kLatin, kArabic, kDevanagari, kBengali, kHan };
Script ScriptOf(std::string_view word);

}  // namespace medidesk::safety
