#include "safety/lexicon.h"

#include <algorithm>
#include <array>
#include <span>

#include "safety/language.h"

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

// How a word of romanised Hindi sounds: "khoon", "khun" and "khooon" are one.
std::string SoundOf(std::string_view word) {
  std::string sound;
  for (std::size_t i = 0; i < word.size(); ++i) {
    char c = word[i];
    if (c < 'a' || c > 'z') return {};
    if (c == 'h' && i > 0 && std::string_view("aeiou").find(word[i - 1]) == std::string_view::npos) continue;
    switch (c) {
      case 'o':
        c = 'u';
        break;
      case 'e':
      case 'y':
        c = 'i';
        break;
      case 'w':
        c = 'v';
        break;
      case 'z':
        c = 'j';
        break;
      case 'q':
        c = 'k';
        break;
      case 'f':
        c = 'p';
        break;
      default:
        break;
    }
    if (sound.empty() || sound.back() != c) sound += c;
  }
  if (sound.size() > 4 && sound.back() == 'n') sound.pop_back();  // a nasal vowel, written or not
  return sound;
}
constexpr std::size_t kSoundLetters = 4;

std::uint32_t Beginning(std::string_view word) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(word[i])); };
  return byte(0) | byte(1) << 8 | byte(2) << 16;
}

}  // namespace

Lexicon::Lexicon(const Tables& tables) : romanised_(tables.Language("hi-Latn")) {
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
  for (const FrequentList& list : FrequentLists()) {
    const auto language = tables.Language(list.tag);
    if (!language) continue;
    const Words folded = Normalise(list.words);
    for (const Token& token : folded.tokens) frequent_[std::string(folded.Text(token))] |= LanguageSet{1} << *language;
  }
  for (const auto& [word, ids] : words_) {
    if (word.size() >= 3) beginnings_.insert(Beginning(word));
  }
  for (const auto& [word, languages] : frequent_) {
    if (word.size() >= 3) beginnings_.insert(Beginning(word));
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
  for (const TermWord& word : words) {
    const PatternId id = Intern(word);
    sequence.patterns.push_back(id);
    if (language != romanised_ || word.exact || word.stem) continue;
    if (const std::string sound = SoundOf(word.text); sound.size() >= kSoundLetters) {
      auto& same = by_sound_[sound];
      if (std::find(same.begin(), same.end(), id) == same.end()) same.push_back(id);
    }
  }
  if (concept_id == kKnown) patterns_[sequence.patterns.front()].known = true;
  if (concept_id == kSkip) patterns_[sequence.patterns.front()].skip = true;
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
  if (std::any_of(found.begin() + static_cast<std::ptrdiff_t>(before), found.end(), known)) {
    // "وما" stands in a phrase as it is, and is "and not" elsewhere.
    constexpr std::string_view kAnd = "و";
    if (letters >= 3 && word.starts_with(kAnd)) {
      if (const auto it = words_.find(word.substr(kAnd.size())); it != words_.end()) {
        found.insert(found.end(), it->second.begin(), it->second.end());
      }
    }
    return;
  }
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
  if (letters + 1 < kFuzzyLetters || letters > Lexicon::kMaxFuzzyLetters || frequent_.contains(word)) return;
  const std::size_t exact = found.size();
  if (const auto it = by_sound_.find(SoundOf(word)); it != by_sound_.end()) {
    found.insert(found.end(), it->second.begin(), it->second.end());
  }
  MatchMisspelt(SplitLetters(word), before, found);
  for (std::size_t i = exact; i < found.size(); ++i) found[i] |= kWeak;
}

void Lexicon::MatchMisspelt(const Letters& typed, std::size_t before, std::vector<PatternId>& found) const {
  const auto add = [&](PatternId id) {
    if (std::find(found.begin() + static_cast<std::ptrdiff_t>(before), found.end(), id) == found.end()) {
      found.push_back(id);
    }
  };
  const auto try_stems = [&](std::uint64_t hash) {
    const auto it = near_stems_.find(hash);
    if (it == near_stems_.end()) return;
    for (const PatternId id : it->second) {
      const Letters stem = SplitLetters(patterns_[id].text);
      for (std::size_t size = stem.size - 1; size <= std::min(stem.size + 1, typed.size); ++size) {
        Letters beginning = typed;
        beginning.size = size;
        if (OneSlip(beginning, stem, false)) add(id);
      }
    }
  };
  const auto try_words = [&](std::uint64_t hash) {
    const auto it = near_.find(hash);
    if (it == near_.end()) return;
    for (const PatternId id : it->second) {
      const Pattern& pattern = patterns_[id];
      if (OneSlip(typed, SplitLetters(pattern.text), pattern.letters < kFuzzyLetters)) add(id);
    }
  };
  // Each beginning as it is, then less each of its letters: what stands before that letter was tried already.
  std::array<std::uint64_t, kMaxFuzzyLetters + 2> before_letter;
  before_letter[0] = kHashStart;
  for (std::size_t i = 0; i < typed.size; ++i) {
    before_letter[i + 1] = HashLetter(before_letter[i], typed.at[i]);
    if (i + 2 >= kFuzzyLetters) try_stems(before_letter[i + 1]);
  }
  try_words(before_letter[typed.size]);
  for (std::size_t skip = 0; skip < typed.size; ++skip) {
    std::uint64_t hash = before_letter[skip];
    for (std::size_t i = skip + 1; i < typed.size; ++i) {
      hash = HashLetter(hash, typed.at[i]);
      if (i + 2 >= kFuzzyLetters) try_stems(hash);
    }
    try_words(hash);
  }
}

bool Lexicon::Knows(std::string_view word, std::size_t reach_over) const {
  if (words_.contains(word) || frequent_.contains(word)) return true;
  for (std::size_t size = std::max<std::size_t>(4, reach_over + 1); size <= std::min(word.size(), longest_stem_);
       ++size) {
    if (stems_.contains(word.substr(0, size))) return true;
  }
  return false;
}

void Lexicon::Mend(Words& words) const {
  constexpr std::size_t kLeastJoined = 5, kLeastSplit = 7, kMostSplit = 32;  // letters
  const auto& tokens = words.tokens;
  const auto plain = [&](std::size_t i) {
    return i < tokens.size() && !tokens[i].number && tokens[i].size > 0 && ScriptOf(words.Text(i)) != Script::kHan;
  };
  // Words stand in the buffer one behind the other, so two make one by their sizes.
  const auto join = [](const Token& a, const Token& b) {
    Token whole = a;
    whole.size = static_cast<std::uint16_t>(a.size + b.size);
    whole.letters = static_cast<std::uint16_t>(a.letters + b.letters);
    return whole;
  };
  std::vector<Token> mended;
  bool changed = false;
  mended.reserve(tokens.size() + 8);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!plain(i)) {
      mended.push_back(tokens[i]);
      continue;
    }
    if (tokens[i].letters == 1) {  // "c h e s t"
      std::size_t end = i + 1;
      Token whole = tokens[i];
      while (plain(end) && tokens[end].letters == 1 && tokens[end].before == Break::kNone &&
             whole.letters < kMostSplit) {
        whole = join(whole, tokens[end++]);
      }
      if (whole.letters >= 4 && (words_.contains(words.Text(whole)) || Split(words, whole, mended))) {
        if (words_.contains(words.Text(whole))) mended.push_back(whole);
        changed = true;
        i = end - 1;
        continue;
      }
    }
    const bool known = Knows(words.Text(i));
    if (plain(i + 1) && tokens[i + 1].before == Break::kNone && (!known || !Knows(words.Text(i + 1)))) {
      const Token whole = join(tokens[i], tokens[i + 1]);
      const std::string_view text = words.Text(whole);
      if (whole.letters >= kLeastJoined && (words_.contains(text) || Knows(text, tokens[i].size))) {
        mended.push_back(whole);
        changed = true;
        ++i;
        continue;
      }
    }
    if (!known && tokens[i].letters >= kLeastSplit && tokens[i].letters <= kMostSplit &&
        (Split(words, tokens[i], mended) || SplitHead(words, tokens[i], mended))) {
      changed = true;
      continue;
    }
    mended.push_back(tokens[i]);
  }
  if (changed) words.tokens = std::move(mended);
}

bool Lexicon::Split(const Words& words, const Token& word, std::vector<Token>& pieces) const {
  constexpr std::size_t kLongest = 14, kMostPieces = 5, kMaxBytes = 96;
  const std::string_view text = words.Text(word);
  if (text.size() > kMaxBytes) return false;
  struct Step {
    std::uint8_t from = 0, pieces = 0;
  };
  std::array<Step, kMaxBytes + 1> steps{};
  steps[0].pieces = 1;
  for (std::size_t from = 0; from < text.size(); ++from) {
    if (steps[from].pieces == 0 || steps[from].pieces > kMostPieces) continue;
    const std::size_t left = text.size() - from;
    const bool begins = left >= 3 && beginnings_.contains(Beginning(text.substr(from)));
    for (std::size_t size = 2; size <= std::min(left, kLongest); ++size) {
      if (size >= 3 && !begins) break;
      if (size < left && (static_cast<unsigned char>(text[from + size]) & 0xC0) == 0x80) continue;
      const std::string_view piece = text.substr(from, size);
      const bool known = size == 2 ? frequent_.contains(piece) : words_.contains(piece) || frequent_.contains(piece);
      if (!known) continue;
      Step& step = steps[from + size];
      const auto count = static_cast<std::uint8_t>(steps[from].pieces + 1);
      if (step.pieces == 0 || count < step.pieces) step = {.from = static_cast<std::uint8_t>(from), .pieces = count};
    }
  }
  const std::size_t count = steps[text.size()].pieces;
  if (count < 3 || count > kMostPieces + 1) return false;  // the first counts as one
  const std::size_t begin = pieces.size();
  bool says_something = false;
  for (std::size_t end = text.size(); end > 0; end = steps[end].from) {
    const std::size_t from = steps[end].from;
    Token piece = word;
    piece.offset = word.offset + static_cast<std::uint32_t>(from);
    piece.size = static_cast<std::uint16_t>(end - from);
    const std::string_view piece_text = text.substr(from, end - from);
    piece.letters = static_cast<std::uint16_t>(std::count_if(
        piece_text.begin(), piece_text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
    if (from > 0) piece.before = Break::kNone;
    if (piece.letters >= 4 && words_.contains(piece_text)) says_something = true;
    pieces.push_back(piece);
  }
  if (!says_something) {
    pieces.resize(begin);
    return false;
  }
  std::reverse(pieces.begin() + static_cast<std::ptrdiff_t>(begin), pieces.end());
  return true;
}

// "Eisentabletten" are tablets, whatever stands before: the last part says what a compound is.
bool Lexicon::SplitHead(const Words& words, const Token& word, std::vector<Token>& pieces) const {
  constexpr std::size_t kLeastHead = 7, kLeastBefore = 3;  // bytes
  const std::string_view text = words.Text(word);
  if (ScriptOf(text) != Script::kLatin) return false;
  for (std::size_t from = kLeastBefore; from + kLeastHead <= text.size(); ++from) {
    if (!beginnings_.contains(Beginning(text.substr(from))) || !words_.contains(text.substr(from))) continue;
    Token before = word, head = word;
    before.size = static_cast<std::uint16_t>(from);
    before.letters = static_cast<std::uint16_t>(from);
    head.offset = word.offset + static_cast<std::uint32_t>(from);
    head.size = static_cast<std::uint16_t>(text.size() - from);
    head.letters = static_cast<std::uint16_t>(std::min<std::size_t>(word.letters, head.size));
    head.before = Break::kNone;
    pieces.push_back(before);
    pieces.push_back(head);
    return true;
  }
  return false;
}

Lexicon::Findings Lexicon::Find(const Words& words) const {
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

  std::vector<bool> light(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto choices = at(i);
    light[i] = std::any_of(choices.begin(), choices.end(),
                           [&](PatternId id) { return (id & kWeak) == 0 && patterns_[id].skip; });
  }
  Findings findings;
  findings.words.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto it = frequent_.find(words.Text(i)); it != frequent_.end()) findings.words[i] = it->second;
    for (const PatternId start : at(i)) {
      for (const Sequence& sequence : starts_[start & ~kWeak]) {
        if (sequence.concept_id == kSkip) continue;
        const bool firm = sequence.concept_id == kIgnore;  // a harmless phrase is just that phrase
        const Break limit = firm ? Break::kClause : Break::kSentence;
        bool whole = true, weak = (start & kWeak) != 0;
        std::size_t last = i;
        for (std::size_t k = 1; k < sequence.patterns.size() && whole; ++k) {
          const auto says = [&](std::size_t word) {
            if (word >= count || words.tokens[word].before >= limit) return false;
            const auto choices = at(word);
            const auto choice = std::find_if(choices.begin(), choices.end(),
                                             [&](PatternId id) { return (id & ~kWeak) == sequence.patterns[k]; });
            if (choice == choices.end()) return false;
            weak = weak || (*choice & kWeak) != 0;
            return true;
          };
          if (says(last + 1)) {
            last += 1;
          } else if (!firm && last + 1 < count && light[last + 1] && words.tokens[last + 1].before < limit &&
                     says(last + 2)) {
            last += 2;
          } else {
            whole = false;
          }
        }
        if (!whole) continue;
        findings.hits.push_back({.concept_id = sequence.concept_id,
                                 .language = sequence.language,
                                 .first = static_cast<std::uint32_t>(i),
                                 .last = static_cast<std::uint32_t>(last),
                                 .weak = weak});
      }
    }
  }
  return findings;
}

}  // namespace medidesk::safety
