#include "safety/evidence.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

namespace medidesk::safety {
namespace {

enum : std::uint8_t { kSymptom = 1, kFillerWord = 2, kOrWord = 4, kPoliteWord = 8 };

constexpr std::uint32_t kNegationReach = 8;  // words between a negation and what it denies
constexpr std::uint32_t kAfterReach = 3;     // the same for a negation that follows
constexpr std::uint32_t kNowReach = 3;
constexpr std::uint32_t kInfoReach = 3;
constexpr std::uint32_t kResolvedReach = 10;
constexpr std::uint32_t kOrReach = 12;
constexpr std::int64_t kLongestTerm = 15;  // words; table.cc refuses more than 8, and a light one may stand between

// "don't want" in "don't want to live" is what the rule is about, not a denial of it.
bool Inside(const Hit& guard, const Match& match) {
  return std::any_of(match.hits.begin(), match.hits.end(),
                     [&](const Hit& hit) { return guard.first >= hit.first && guard.last <= hit.last; });
}

}  // namespace

Evidence::Evidence(const Tables& tables, const Numerals& numerals, const Lexicon& lexicon, const Words& words)
    : tables_(tables), words_(words) {
  Lexicon::Findings findings = lexicon.Find(words);
  hits_ = std::move(findings.hits);
  const std::size_t count = words.tokens.size();
  std::size_t han = 0;
  for (std::size_t i = 0; i < count; ++i)
    han += words.tokens[i].letters == 1 && ScriptOf(words.Text(i)) == Script::kHan;
  mostly_han_ = han * 2 > count;
  clauses_.resize(count);
  sentences_.resize(count);
  flags_.resize(count);
  for (std::size_t i = 1; i < count; ++i) {
    const Break before = words.tokens[i].before;
    clauses_[i] = clauses_[i - 1] + (before >= Break::kClause ? 1 : 0);
    sentences_[i] = sentences_[i - 1] + (before == Break::kSentence ? 1 : 0);
  }
  DropForeign(findings.words);
  AddMeasures(numerals);
  DropShadowed();
  for (const Hit& hit : hits_) {
    std::uint8_t flag = 0;
    if (hit.concept_id >= kGuards) flag = kSymptom;
    if (hit.concept_id == kFiller) flag = kFillerWord;
    if (hit.concept_id == kOr) flag = kOrWord;
    if (hit.concept_id == kPolite) flag = kPoliteWord;
    for (std::uint32_t word = hit.first; word <= hit.last; ++word) flags_[word] |= flag;
  }
  std::sort(hits_.begin(), hits_.end(), [](const Hit& a, const Hit& b) {
    return std::tie(a.concept_id, a.first, a.last, a.language) < std::tie(b.concept_id, b.first, b.last, b.language);
  });
  begins_.assign(tables.concepts.size() + 1, 0);
  for (const Hit& hit : hits_) ++begins_[hit.concept_id + 1u];
  for (std::size_t i = 1; i < begins_.size(); ++i) begins_[i] += begins_[i - 1];
}

// "die" is German for "the" and "dada" is a chest in Jakarta and a grandfather in Delhi: a word that
// the message's main language has for itself says nothing in another that the message hardly uses.
void Evidence::DropForeign(const std::vector<LanguageSet>& frequent) {
  const std::size_t languages = tables_.languages.size();
  std::vector<LanguageSet> owners = frequent;
  std::vector<LanguageSet> firm = frequent;  // without what is only perhaps a word of the language
  for (const Hit& hit : hits_) {
    const LanguageSet bit = LanguageSet{1} << hit.language;
    for (std::uint32_t i = hit.first; i <= hit.last; ++i) {
      if (!hit.weak) firm[i] |= bit;
      owners[i] |= bit;
    }
  }
  std::array<double, 32> scores{};
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (firm[i] == 0) continue;
    const double share = 1.0 / std::popcount(firm[i]);
    for (std::size_t language = 0; language < languages; ++language) {
      if (firm[i] >> language & 1) scores[language] += share;
    }
  }
  const auto main = static_cast<std::size_t>(
      std::max_element(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(languages)) - scores.begin());
  if (scores[main] < 1) return;
  std::erase_if(hits_, [&](const Hit& hit) {
    if (hit.language == main || scores[main] < 2 * scores[hit.language]) return false;
    if (hit.weak && scores[hit.language] < 1 && scores[main] >= 2) return true;
    if (hit.last - hit.first > 1) return false;
    if (hit.first == hit.last && hit.language != 0 && words_.tokens[hit.first].letters <= 3 &&
        ScriptOf(words_.Text(hit.first)) == Script::kLatin) {
      return true;
    }
    for (std::uint32_t i = hit.first; i <= hit.last; ++i) {
      if ((owners[i] >> main & 1) == 0) return false;
    }
    return true;
  });
}

// A number beside a unit ("6 weeks", "6 week old"), or a number of a given size alone.
void Evidence::AddMeasures(const Numerals& numerals) {
  std::vector<Hit> found;
  const auto value_of = [&](std::size_t word) -> std::optional<double> {
    if (word >= words_.tokens.size()) return std::nullopt;
    const Token& token = words_.tokens[word];
    if (token.number) return token.value;
    const auto numeral = numerals.find(words_.Text(token));
    return numeral == numerals.end() ? std::nullopt : std::optional(numeral->second);
  };
  const auto add = [&](const Hit& unit, std::size_t number) {
    const auto value = value_of(number);
    if (!value) return false;
    for (const Measure& measure : tables_.measures) {
      if (measure.bare || measure.unit != unit.concept_id || *value < measure.min || *value > measure.max) continue;
      const auto word = static_cast<std::uint32_t>(number);
      found.push_back({.concept_id = measure.concept_id,
                       .language = unit.language,
                       .first = std::min(word, unit.first),
                       .last = std::max(word, unit.last)});
    }
    return true;
  };
  for (const Hit& hit : hits_) {
    // A full stop may come between, German's "33. Woche"; Swahili has the number last, "wiki tatu".
    if (hit.first > 0 && add(hit, hit.first - 1)) continue;
    const std::size_t next = std::size_t{hit.last} + 1;
    if (next < words_.tokens.size() && words_.tokens[next].before == Break::kNone) add(hit, next);
  }
  for (std::uint32_t i = 0; i < words_.tokens.size(); ++i) {
    const Token& token = words_.tokens[i];
    if (!token.number) continue;
    for (const Measure& measure : tables_.measures) {
      if (!measure.bare || token.value < measure.min || token.value > measure.max) continue;
      found.push_back({.concept_id = measure.concept_id, .language = 0, .first = i, .last = i});
    }
  }
  hits_.insert(hits_.end(), found.begin(), found.end());
}

// Harmless phrases swallow the hits inside them, unless a longer hit covers the phrase; a guard
// inside a longer phrase ("not" in "wont stop", "now" in "fine now") is part of that phrase only.
void Evidence::DropShadowed() {
  const std::size_t count = words_.tokens.size();
  std::vector<std::uint8_t> harmless(count), longest(count);
  const auto size_of = [](const Hit& hit) { return static_cast<std::uint8_t>(hit.last - hit.first + 1); };
  const auto raise = [](std::vector<std::uint8_t>& sizes, const Hit& hit, std::uint8_t size) {
    for (std::uint32_t i = hit.first; i <= hit.last; ++i) sizes[i] = std::max(sizes[i], size);
  };
  for (const Hit& hit : hits_) {
    if (hit.concept_id == kKnown) continue;
    if (hit.concept_id == kIgnore) raise(harmless, hit, size_of(hit));
    raise(longest, hit, size_of(hit));
  }
  const auto covered = [](const std::vector<std::uint8_t>& sizes, const Hit& hit, std::uint8_t size) {
    for (std::uint32_t i = hit.first; i <= hit.last; ++i) {
      if (sizes[i] >= size) return true;
    }
    return false;
  };
  std::erase_if(hits_, [&](const Hit& hit) {
    if (hit.concept_id == kIgnore || hit.concept_id == kKnown) return true;
    const std::uint8_t size = size_of(hit);
    if (covered(harmless, hit, size)) return true;
    const bool guard = hit.concept_id < kGuards && hit.concept_id != kFiller && hit.concept_id != kOr &&
                       hit.concept_id != kPolite && hit.concept_id != kSufferer;
    return guard && covered(longest, hit, static_cast<std::uint8_t>(size + 1));
  });
}

std::span<const Hit> Evidence::Of(ConceptId concept_id) const {
  return std::span<const Hit>(hits_).subspan(begins_[concept_id], begins_[concept_id + 1u] - begins_[concept_id]);
}

std::span<const Hit> Evidence::Between(ConceptId concept_id, std::int64_t from, std::int64_t to) const {
  const auto hits = Of(concept_id);
  const auto first = [](const Hit& hit, std::int64_t word) { return static_cast<std::int64_t>(hit.first) < word; };
  const auto begin = std::lower_bound(hits.begin(), hits.end(), from - kLongestTerm + 1, first);
  return {begin, std::lower_bound(begin, hits.end(), to + 1, first)};
}

bool Evidence::Mixes(LanguageId a, LanguageId b) const {
  if (a == b) return true;
  const std::string& x = tables_.languages[a];
  const std::string& y = tables_.languages[b];
  return x == "en" || y == "en" || x.substr(0, 2) == y.substr(0, 2);
}

// "no" is Portuguese for "in the", so an English guard says nothing about Romance words; in English
// words every language's guards count.
bool Evidence::Guards(LanguageId guard, LanguageId hit) const {
  const std::string& x = tables_.languages[guard];
  const std::string& y = tables_.languages[hit];
  if (guard == hit || y == "en") return true;
  return (x == "en" && y != "es" && y != "pt" && y != "fr") || (x.starts_with("hi") && y.starts_with("hi"));
}

bool Evidence::Negated(const Match& match) const {
  for (const Hit& hit : match.hits) {
    if (NegatedBefore(hit, match)) return true;
  }
  return NegatedAfter(match);
}

// Walks back from the hit over fillers and other symptoms: "no fever or any kind of chest pain".
// Over a comma or another symptom only where an "or" makes it a list.
bool Evidence::NegatedBefore(const Hit& hit, const Match& match) const {
  if (Of(kNegation).empty()) return false;
  bool list = false, saw_or = false;
  for (std::uint32_t i = hit.first; i > 0 && hit.first - i < kNegationReach;) {
    const Break edge = words_.tokens[i].before;
    if (edge == Break::kSentence) return false;
    --i;
    const auto negations = Between(kNegation, i, i);
    const auto it = std::find_if(negations.begin(), negations.end(), [&](const Hit& negation) {
      return negation.last == i && Guards(negation.language, hit.language) && !Inside(negation, match);
    });
    if (it != negations.end()) {
      if (edge == Break::kClause) return false;  // "no, chest pain"
      if (!list || saw_or) return true;
      for (std::uint32_t k = match.last + 1; k < words_.tokens.size() && k < match.last + kOrReach; ++k) {
        if (Sentence(k) != Sentence(match.last)) return false;
        if (flags_[k] & kOrWord) return true;
      }
      return false;
    }
    if (edge == Break::kClause) list = true;
    if (flags_[i] & kOrWord) {
      saw_or = true;
    } else if (flags_[i] & kFillerWord) {
      continue;
    } else if (flags_[i] & kSymptom) {
      if (i < match.first || i > match.last) list = true;
    } else {
      return false;
    }
  }
  return false;
}

bool Evidence::NegatedAfter(const Match& match) const {
  if (Of(kNegationAfter).empty()) return false;
  for (std::uint32_t i = match.last + 1; i < words_.tokens.size() && i <= match.last + kAfterReach; ++i) {
    if (words_.tokens[i].before != Break::kNone) return false;
    for (const Hit& negation : Between(kNegationAfter, i, i)) {
      if (negation.first == i) return Guards(negation.language, match.language);
    }
    if (!(flags_[i] & kFillerWord)) return false;
  }
  return false;
}

bool Evidence::SaysNow(const Match& match) const {
  for (const Hit& now : Between(kNow, std::int64_t{match.first} - kNowReach, match.last + kNowReach)) {
    if (now.last + kNowReach < match.first) continue;
    if (Sentence(now.first) == Sentence(match.first) || Sentence(now.first) == Sentence(match.last)) return true;
  }
  return false;
}

bool Evidence::PastInClause(const Match& match) const { return HasIn(clauses_, kPast, match); }

bool Evidence::PastInSentence(const Match& match) const { return HasIn(sentences_, kPast, match); }

bool Evidence::HasInSentence(ConceptId concept_id, const Match& match) const {
  return HasIn(sentences_, concept_id, match);
}

bool Evidence::ResolvedAfter(const Match& match) const {
  for (const Hit& resolved : Between(kResolved, match.first, match.last + kResolvedReach)) {
    if (resolved.first > match.first && Sentence(resolved.first) == Sentence(match.last)) return true;
  }
  return false;
}

bool Evidence::AsksAbout(const Match& match) const {
  for (const Hit& info : Between(kInfo, std::int64_t{match.first} - kInfoReach, match.last + kInfoReach)) {
    if (info.last + kInfoReach < match.first) continue;
    if (Clause(info.last) >= Clause(match.first) && Clause(info.first) <= Clause(match.last)) return true;
  }
  return false;
}

bool Evidence::HasSufferer(const Match& match) const { return HasIn(clauses_, kSufferer, match); }

// The parts (clauses, sentences) are numbered in order, so the first hit that reaches the match's
// first part decides.
bool Evidence::HasIn(const std::vector<std::uint32_t>& parts, ConceptId concept_id, const Match& match) const {
  const auto hits = Of(concept_id);
  const auto it = std::lower_bound(hits.begin(), hits.end(), parts[match.first],
                                   [&](const Hit& hit, std::uint32_t part) { return parts[hit.last] < part; });
  return it != hits.end() && parts[it->first] <= parts[match.last];
}

bool Evidence::WholeMessage(const Match& match) const {
  for (std::uint32_t i = 0; i < words_.tokens.size(); ++i) {
    if ((i < match.first || i > match.last) && !(flags_[i] & kPoliteWord)) return false;
  }
  return true;
}

}  // namespace medidesk::safety
