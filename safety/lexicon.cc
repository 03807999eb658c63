#include "safety/lexicon.h"

#include <algorithm>
#include <array>
#include <span>

namespace medidesk::safety {
namespace {

using Letters = Lexicon::Letters;

constexpr std::size_t kFuzzyLetters = 5;  // a word shorter than this is misspelt into other words too easily

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

constexpr std::uint64_t kHashStart = 14695981039346656037u;  // FNV-1a

std::uint64_t HashLetter(std::uint64_t hash, std::string_view letter) {
  for (const char c : letter) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211u;
  }
  return hash;
}

// Hash of the word without letter `skip` (none left out when skip == size).
std::uint64_t HashWithout(const Letters& letters, std::size_t skip) {
  std::uint64_t hash = kHashStart;
  for (std::size_t i = 0; i < letters.size; ++i) {
    if (i != skip) hash = HashLetter(hash, letters.at[i]);
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

// An Arabic word without the conjunction, preposition or article written onto it ("and", "with",
// "the"); empty when there is none or too little would be left.
std::string_view WithoutArabicPrefix(std::string_view word, std::size_t letters) {
  constexpr std::array<std::string_view, 6> kPrefixes = {"بال", "لل", "ال", "و", "ف", "ب"};
  for (const std::string_view prefix : kPrefixes) {
    if (word.starts_with(prefix) && letters >= prefix.size() / 2 + 2) return word.substr(prefix.size());
  }
  return {};
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
  patterns_.push_back({.text = word.text,
                       .letters = static_cast<std::uint16_t>(letters.size),
                       .whole = !word.stem,
                       .exact = word.exact});
  if (!word.exact && letters.size >= kFuzzyLetters - 1 && letters.size <= Lexicon::kMaxFuzzyLetters) {
    auto& near = word.stem ? near_stems_ : near_;
    for (std::size_t skip = 0; skip <= letters.size && (!word.stem || letters.size >= kFuzzyLetters); ++skip) {
      auto& ids = near[HashWithout(letters, skip)];
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    }
  }
  return id;
}

void Lexicon::Add(const std::vector<TermWord>& words, ConceptId concept_id, LanguageId language) {
  Sequence sequence{.patterns = {}, .concept_id = concept_id, .language = language};
  for (const TermWord& word : words) sequence.patterns.push_back(Intern(word));
  if (concept_id == kKnown) patterns_[sequence.patterns.front()].known = true;
  starts_.resize(patterns_.size());
  starts_[sequence.patterns.front()].push_back(std::move(sequence));
}

void Lexicon::Match(std::string_view word, std::size_t letters, std::vector<PatternId>& found) const {
  const std::size_t before = found.size();
  if (const auto it = words_.find(word); it != words_.end()) {
    found.insert(found.end(), it->second.begin(), it->second.end());
  }
  for (std::size_t size = 2; size <= std::min(word.size(), longest_stem_); ++size) {
    if (const auto it = stems_.find(word.substr(0, size)); it != stems_.end()) found.push_back(it->second);
  }
  // A word the tables know is no misspelling; one that only begins like a stem may be.
  const auto known = [&](PatternId id) { return patterns_[id].whole || patterns_[id].known; };
  if (std::any_of(found.begin() + static_cast<std::ptrdiff_t>(before), found.end(), known)) return;
  // "وبالصدر" is "and in the chest": at most a conjunction and an article come off.
  std::string_view bare = word;
  std::size_t bare_letters = letters;
  for (int i = 0; i < 2; ++i) {
    const std::string_view rest = WithoutArabicPrefix(bare, bare_letters);
    if (rest.empty()) break;
    bare_letters -= (bare.size() - rest.size()) / 2;
    bare = rest;
    if (const auto it = words_.find(bare); it != words_.end()) {
      found.insert(found.end(), it->second.begin(), it->second.end());
      return;
    }
    for (std::size_t size = 2; size <= std::min(bare.size(), longest_stem_); ++size) {
      if (const auto it = stems_.find(bare.substr(0, size)); it != stems_.end()) found.push_back(it->second);
    }
    if (found.size() != before) return;
  }
  if (letters + 1 < kFuzzyLetters || letters > Lexicon::kMaxFuzzyLetters) return;
  MatchMisspelt(SplitLetters(word), before, found);
}

void Lexicon::MatchMisspelt(const Letters& typed, std::size_t before, std::vector<PatternId>& found) const {
  const auto add = [&](PatternId id) {
    if (std::find(found.begin() + static_cast<std::ptrdiff_t>(before), found.end(), id) == found.end()) {
      found.push_back(id);
    }
  };
  for (std::size_t skip = 0; skip <= typed.size; ++skip) {
    std::uint64_t hash = kHashStart;
    for (std::size_t i = 0; i < typed.size; ++i) {
      if (i == skip) continue;
      hash = HashLetter(hash, typed.at[i]);
      if (i + 2 < kFuzzyLetters) continue;
      const auto it = near_stems_.find(hash);
      if (it == near_stems_.end()) continue;
      for (const PatternId id : it->second) {
        const Letters stem = SplitLetters(patterns_[id].text);
        for (std::size_t size = stem.size - 1; size <= std::min(stem.size + 1, typed.size); ++size) {
          Letters beginning = typed;
          beginning.size = size;
          if (OneSlip(beginning, stem, false)) add(id);
        }
      }
    }
    const auto it = near_.find(HashWithout(typed, skip));
    if (it == near_.end()) continue;
    for (const PatternId id : it->second) {
      const Pattern& pattern = patterns_[id];
      if (OneSlip(typed, SplitLetters(pattern.text), pattern.letters < kFuzzyLetters)) add(id);
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
