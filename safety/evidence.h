// What a message says, in concepts: the lexicon's hits plus measures ("6 weeks"), indexed by
// concept, with the guards that may take a meaning back.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "safety/lexicon.h"
#include "safety/normalise.h"
#include "safety/table.h"

namespace medidesk::safety {

// Words [first, last] that a rule's slots cover, and the single hits.
struct Match {
  std::uint32_t first = 0, last = 0;
  LanguageId language = 0;  // of the hits; the less common one where English is mixed in
  std::vector<Hit> hits;    // one a slot
};

using Numerals = std::unordered_map<std::string_view, double>;

class Evidence {
 public:
  // All three outlive the object.
  Evidence(const Tables& tables, const Numerals& numerals, const Lexicon& lexicon, const Words& words);

  // In the order of `first`.
  std::span<const Hit> Of(ConceptId concept_id) const;
  // Those of them that may touch words [from, to]: a few more before, none after.
  std::span<const Hit> Between(ConceptId concept_id, std::int64_t from, std::int64_t to) const;
  bool empty() const { return hits_.empty(); }

  // Both languages can stand in one message: equal, English with any, Hindi in both scripts.
  bool Mixes(LanguageId a, LanguageId b) const;

  // Each looks at the surroundings of a match.
  bool Negated(const Match& match) const;
  bool SaysNow(const Match& match) const;         // within a few words
  bool PastInClause(const Match& match) const;    // "had chest pain last year"
  bool PastInSentence(const Match& match) const;  // "in 2019 my dad had a bypass, chest feels tight"
  bool ResolvedAfter(const Match& match) const;   // "... is gone now"
  bool AsksAbout(const Match& match) const;       // "symptoms of a heart attack"
  bool HasSufferer(const Match& match) const;     // "symptoms of a heart attack, my dad has them"
  bool HasInSentence(ConceptId concept_id, const Match& match) const;
  bool WholeMessage(const Match& match) const;  // but for polite words

  // A window counts words; Chinese ones have about two characters each.
  int Window(int words) const { return mostly_han_ ? words * 2 : words; }

 private:
  void AddMeasures(const Numerals& numerals);
  void DropForeign(const std::vector<LanguageSet>& frequent);
  void DropShadowed();
  bool HasIn(const std::vector<std::uint32_t>& parts, ConceptId concept_id, const Match& match) const;
  bool Guards(LanguageId guard, LanguageId hit) const;
  bool NegatedBefore(const Hit& hit, const Match& match) const;
  bool NegatedAfter(const Match& match) const;
  std::uint32_t Clause(std::uint32_t word) const { return clauses_[word]; }
  std::uint32_t Sentence(std::uint32_t word) const { return sentences_[word]; }

  const Tables& tables_;
  const Words& words_;
  std::vector<Hit> hits_;                 // by concept, then by first
  std::vector<std::uint32_t> begins_;     // into hits_, by concept
  std::vector<std::uint32_t> clauses_;    // number of the clause, by word
  std::vector<std::uint32_t> sentences_;  // number of the sentence, by word
  bool mostly_han_ = false;
  std::vector<std::uint8_t> flags_;  // by word: kSymptom, kFillerWord, kOrWord, kPoliteWord
};

}  // namespace medidesk::safety
