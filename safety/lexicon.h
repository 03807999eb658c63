// Finds the terms of the tables in a normalised message, misspelt ones included.
//
// Light words of the tables ("skip") may stand inside a term of several words, one at each place.
//
// A word of a term matches a word of the message when they are equal, when the term's word is a
// stem that the other begins with, or when one letter was added, left out, replaced or swapped
// with its neighbour and the first letter stands (words of five letters and more; of four letters
// only the swap). A message's word that is itself in the tables is never taken for a misspelling.
// Terms of two or three words also match when written as one.
//
// Built once, immutable after: thread-safe. Linear in the message.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>
#include <absl/strings/string_view.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "safety/normalise.h"
#include "safety/table.h"

namespace medidesk::safety {

// A term found: words [first, last] of the message say `concept_id` in `language`.
struct Hit {
  ConceptId concept_id = 0;
  LanguageId language = 0;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  bool weak = false;  // by a misspelling, or by sound alone
};

// Languages as bits, by LanguageId.
using LanguageSet = std::uint32_t;

class Lexicon {
 public:
  // The code points of a word, as far as misspellings are looked for.
  static constexpr std::size_t kMaxFuzzyLetters = 24;
  struct Letters {
    std::array<std::string_view, kMaxFuzzyLetters + 1> at;
    std::size_t size = 0;
  };

  explicit Lexicon(const Tables& tables);

  struct Findings {
    std::vector<Hit> hits;           // in the order of `first`
    std::vector<LanguageSet> words;  // by word: whose frequent word it is
  };
  // Terms are not found across the end of a sentence, ignored phrases not across a comma either.
  Findings Find(const Words& words) const;

  // Writes words as the tables know them where the spaces went wrong: "che st pain", "c h e s t",
  // "cantbreathe", "Brustschmerzen". Words that are known stay as they are.
  void Mend(Words& words) const;

 private:
  using PatternId = std::uint32_t;
  struct StringHash {  // Debian's absl::string_view is not std::string_view
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return absl::Hash<absl::string_view>()({text.data(), text.size()});
    }
  };
  template <class T>
  using StringMap = absl::flat_hash_map<std::string, T, StringHash, std::equal_to<>>;
  struct Pattern {
    std::string text;
    std::uint16_t letters = 0;
    bool whole = false;  // not a stem
    bool known = false;  // named as an ordinary word
    bool exact = false;
    bool skip = false;  // may stand inside a term
  };
  struct Sequence {  // a term, by its patterns
    std::vector<PatternId> patterns;
    ConceptId concept_id = 0;
    LanguageId language = 0;
  };

  static constexpr PatternId kWeak = 1u << 31;  // mark on a pattern found by a misspelling

  PatternId Intern(const TermWord& word);
  bool Knows(std::string_view word, std::size_t reach_over = 0) const;
  // Appends the known words that `word` is made of; false, and nothing, when it is not.
  bool Split(const Words& words, const Token& word, std::vector<Token>& pieces) const;
  bool SplitHead(const Words& words, const Token& word, std::vector<Token>& pieces) const;
  void Add(const std::vector<TermWord>& words, ConceptId concept_id, LanguageId language);
  // Appends what `word` may stand for to `found`.
  void Match(std::string_view word, std::size_t letters, std::vector<PatternId>& found) const;
  // `before`: where this word's patterns begin in `found`.
  void MatchMisspelt(const Letters& typed, std::size_t before, std::vector<PatternId>& found) const;

  std::vector<Pattern> patterns_;
  StringMap<std::vector<PatternId>> words_;  // whole words
  StringMap<PatternId> stems_;               // beginnings
  // Hash of a word, or of a beginning, less one letter (or none).
  absl::flat_hash_map<std::uint64_t, std::vector<PatternId>> near_, near_stems_;
  StringMap<std::vector<PatternId>> by_sound_;  // whole words
  StringMap<LanguageSet> frequent_;
  absl::flat_hash_set<std::uint32_t> beginnings_;  // first three bytes of whole words
  std::optional<LanguageId> romanised_;            // hi-Latn
  std::vector<std::vector<Sequence>> starts_;      // by first pattern
  std::size_t longest_stem_ = 0;                   // bytes
};

}  // namespace medidesk::safety
