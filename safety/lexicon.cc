#include "safety/lexicon.h"

#include <algorithm>
#include <array>
#include <span>

namespace medidesk::safety {
namespace {

constexpr std::size_t kFuzzyLetters = 5;  // a word shorter than this is misspelt into other words too easily
constexpr std::size_t kMaxFuzzyLetters = 24;

// The code points of a word, at most kMaxFuzzyLetters + 1.
struct Letters {
  std::array<std::string_view, kMaxFuzzyLetters + 1> at;
  std::size_t size = 0;
};

Letters SplitLetters(std::string_view word) {
  Letters letters;
  std::size_t begin = 0;
  while (begin < word.size() && letters.size < letters.at.size()) {
    std::size_t end = begin + 1;
    while (end < word.size() && (static_cast<unsigned char>(word[end]) & 0xC0) == 0x80) ++end;
    letters.at[letters.size++] = word.substr(begin, end - begin);
    begin = end;
  }
  return letters;
}

// FNV-1a of the word without letter `skip` (none left out when skip == size).
std::uint64_t HashWithout(const Letters& letters, std::size_t skip) {
  std::uint64_t hash = 14695981039346656037u;
  for (std::size_t i = 0; i < letters.size; ++i) {
    if (i == skip) continue;
    for (const char c : letters.at[i]) {
      hash ^= static_cast<unsigned char>(c);
      hash *= 1099511628211u;
    }
  }
  return hash;
}

// True when one letter was added, left out, replaced or swapped with its neighbour.
bool OneSlip(const Letters& a, const Letters& b, bool swap_only) {
  if (a.size > b.size) return OneSlip(b, a, swap_only);
  if (a.size == 0 || b.size - a.size > 1 || a.at[0] != b.at[0]) return false;
  std::size_t i = 0;
  while (i < a.size && a.at[i] == b.at[i]) ++i;
  const auto same_from = [&](std::size_t x, std::size_t y) {
    return a.size - x == b.size - y &&
           std::equal(a.at.begin() + static_cast<std::ptrdiff_t>(x), a.at.begin() + static_cast<std::ptrdiff_t>(a.size),
                      b.at.begin() + static_cast<std::ptrdiff_t>(y));
  };
  if (a.size != b.size) return !swap_only && same_from(i, i + 1);
  if (i == a.size) return true;
  if (i + 1 < a.size && a.at[i] == b.at[i + 1] && a.at[i + 1] == b.at[i]) return same_from(i + 2, i + 2);
  return !swap_only && same_from(i + 1, i + 1);
}

}  // namespace

Lexicon::Lexicon(const Tables& tables) {
  for (const Term& term : tables.terms) {
    Add(term.words, term.concept_id, term.language);
    if (term.words.size() < 2 || term.words.size() > 3 || term.concept_id == kNegation) continue;
    TermWord joined;
    for (const TermWord& word : term.words) joined.text += word.text;
    joined.stem = term.words.back().stem;
    const Words folded = Normalise(joined.text);  // "pas sure" joins to "pasure"
    if (folded.tokens.size() != 1 || folded.tokens[0].letters < 7) continue;
    joined.text = folded.Text(0);
    Add({joined}, term.concept_id, term.language);
  }
  // Numerals are ordinary words too.
  for (const auto& [word, value] : tables.numerals) {
    Intern({.text = word, .stem = false, .exact = true});
  }
  starts_.resize(patterns_.size());
}

Lexicon::PatternId Lexicon::Intern(const TermWord& word) {
  const auto id = static_cast<PatternId>(patterns_.size());
  if (word.stem) {
    const auto [it, fresh] = stems_.try_emplace(word.text, id);
    if (!fresh) return it->second;
    longest_stem_ = std::max(longest_stem_, word.text.size());
  } else {
    auto& same = words_[word.text];
    for (const PatternId other : same) {
      if (patterns_[other].exact == word.exact) return other;
    }
    same.push_back(id);
  }
  const Letters letters = SplitLetters(word.text);
  patterns_.push_back(
      {.text = word.text, .letters = static_cast<std::uint16_t>(letters.size), .exact = word.exact || word.stem});
  if (!word.exact && letters.size >= kFuzzyLetters - 1 && letters.size <= kMaxFuzzyLetters) {
    // A stem is misspelt as a whole word only: "chokign".
    patterns_.back().exact = false;
    for (std::size_t skip = 0; skip <= letters.size; ++skip) {
      auto& ids = near_[HashWithout(letters, skip)];
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    }
  }
  return id;
}

void Lexicon::Add(const std::vector<TermWord>& words, ConceptId concept_id, LanguageId language) {
  Sequence sequence{.patterns = {}, .concept_id = concept_id, .language = language};
  for (const TermWord& word : words) sequence.patterns.push_back(Intern(word));
  starts_.resize(patterns_.size());
  starts_[sequence.patterns.front()].push_back(std::move(sequence));
}

void Lexicon::Match(std::string_view word, std::size_t letters, std::vector<PatternId>& found) const {
  const std::size_t before = found.size();
  if (const auto it = words_.find(word); it != words_.end()) {
    found.insert(found.end(), it->second.begin(), it->second.end());
  }
  for (std::size_t size = 3; size <= std::min(word.size(), longest_stem_); ++size) {
    if (const auto it = stems_.find(word.substr(0, size)); it != stems_.end()) found.push_back(it->second);
  }
  if (found.size() != before || letters + 1 < kFuzzyLetters || letters > kMaxFuzzyLetters) return;
  const Letters typed = SplitLetters(word);
  for (std::size_t skip = 0; skip <= typed.size; ++skip) {
    const auto it = near_.find(HashWithout(typed, skip));
    if (it == near_.end()) continue;
    for (const PatternId id : it->second) {
      const Pattern& pattern = patterns_[id];
      if (std::find(found.begin() + static_cast<std::ptrdiff_t>(before), found.end(), id) != found.end()) continue;
      if (OneSlip(typed, SplitLetters(pattern.text), pattern.letters < kFuzzyLetters)) found.push_back(id);
    }
  }
}

std::vector<Hit> Lexicon::Find(const Words& words) const {
  const std::size_t count = words.tokens.size();
  std::vector<PatternId> found;
  found.reserve(count * 2);
  std::vector<std::uint32_t> begins(count + 1);
  for (std::size_t i = 0; i < count; ++i) {
    begins[i] = static_cast<std::uint32_t>(found.size());
    Match(words.Text(i), words.tokens[i].number ? 0 : words.tokens[i].letters, found);
  }
  begins[count] = static_cast<std::uint32_t>(found.size());
  const auto at = [&](std::size_t i) {
    return std::span<const PatternId>(found).subspan(begins[i], begins[i + 1] - begins[i]);
  };

  std::vector<Hit> hits;
  for (std::size_t i = 0; i < count; ++i) {
    for (const PatternId start : at(i)) {
      for (const Sequence& sequence : starts_[start]) {
        const std::size_t size = sequence.patterns.size();
        if (i + size > count) continue;
        const Break limit = sequence.concept_id == kIgnore ? Break::kClause : Break::kSentence;
        bool whole = true;
        for (std::size_t k = 1; k < size && whole; ++k) {
          const auto choices = at(i + k);
          whole = words.tokens[i + k].before < limit &&
                  std::find(choices.begin(), choices.end(), sequence.patterns[k]) != choices.end();
        }
        if (!whole) continue;
        hits.push_back({.concept_id = sequence.concept_id,
                        .language = sequence.language,
                        .first = static_cast<std::uint32_t>(i),
                        .last = static_cast<std::uint32_t>(i + size - 1)});
      }
    }
  }
  return hits;
}

}  // namespace medidesk::safety
