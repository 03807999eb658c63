#include "assistant/facts/words.h"

#include <cstddef>
#include <map>
#include <unordered_set>
#include <utility>

#include "assistant/facts/words_data.h"
#include "safety/normalise.h"

namespace medidesk::assistant {
namespace {

bool Ends(std::string_view word, std::string_view end) {
  return word.size() > end.size() && word.substr(word.size() - end.size()) == end;
}

// Plurals and the commonest endings of English, and the Arabic article. Harmless for other Latin words, as
// documents and queries go through it alike. Folding has already made "ss" one "s".
std::string Stem(std::string_view word) {
  const safety::Script script = safety::ScriptOf(word);
  if (script == safety::Script::kArabic) {
    // The article, alone or after a preposition; every letter is two bytes.
    for (const std::string_view article : {"وال", "بال", "فال", "كال", "ال", "لل"}) {
      if (word.starts_with(article) && word.size() >= article.size() + 6)
        return std::string(word.substr(article.size()));
    }
    return std::string(word);
  }
  if (script != safety::Script::kLatin) return std::string(word);
  std::string stem(word);
  if (stem.size() > 4 && Ends(stem, "ies")) {
    stem.replace(stem.size() - 3, 3, "y");
  } else if (stem.size() > 3 && Ends(stem, "s")) {
    stem.pop_back();
  }
  if (stem.size() > 5 && Ends(stem, "ing")) {
    stem.resize(stem.size() - 3);
  } else if (stem.size() > 4 && Ends(stem, "ed")) {
    stem.resize(stem.size() - 2);
  }
  if (stem.size() > 3 && stem.back() == 'e') stem.pop_back();
  return stem;
}

struct Lexicon {
  std::map<std::string, std::string> concepts;  // folded words and stems; ordered, so that results are
  std::unordered_set<std::string> stop_words;   // folded words

  Lexicon() {
    for (const std::string_view row : StopWordRows()) {
      const safety::Words words = safety::Normalise(row);
      for (const safety::Token& token : words.tokens) stop_words.emplace(words.Text(token));
    }
    for (const std::string_view row : ConceptRows()) {
      const std::size_t bar = row.find(" | ");
      const std::string name(row.substr(0, bar));
      const safety::Words words = safety::Normalise(row.substr(bar + 3));
      for (const safety::Token& token : words.tokens) {
        const std::string word(words.Text(token));
        concepts.emplace(word, name);  // the first row that names a word has it
        // A short stem is too often the stem of another word, too.
        if (std::string stem = Stem(word); stem.size() >= 4) concepts.emplace(std::move(stem), name);
      }
    }
  }
};

const Lexicon& TheLexicon() {
  static const Lexicon* const lexicon = new Lexicon;
  return *lexicon;
}

}  // namespace

std::string IndexWord(std::string_view folded) {
  const Lexicon& lexicon = TheLexicon();
  const std::string word(folded);
  if (lexicon.stop_words.contains(word)) return "";
  if (const auto found = lexicon.concepts.find(word); found != lexicon.concepts.end()) return found->second;
  std::string stem = Stem(word);
  if (const auto found = lexicon.concepts.find(stem); found != lexicon.concepts.end()) return found->second;
  return stem;
}

std::vector<std::string> IndexWords(std::string_view text) {
  const safety::Words words = safety::Normalise(text);
  std::vector<std::string> found;
  found.reserve(words.tokens.size());
  for (std::size_t i = 0; i < words.tokens.size(); ++i) {
    const std::string_view word = words.Text(i);
    // "x-ray", "wi-fi", "e-mail", "check-up": one word each, however they are written.
    if (i + 1 < words.tokens.size()) {
      const std::string_view next = words.Text(i + 1);
      const bool pair = (word == "x" && next.starts_with("ray")) || (word == "wi" && next == "fi") ||
                        (word == "e" && next.starts_with("mail")) || (word == "check" && next.starts_with("up"));
      if (pair) {
        if (std::string both = IndexWord(std::string(word) + std::string(next)); !both.empty()) {
          found.push_back(std::move(both));
          ++i;
          continue;
        }
      }
    }
    if (std::string index_word = IndexWord(word); !index_word.empty()) found.push_back(std::move(index_word));
  }
  return found;
}

double WordWeight(std::string_view index_word) {
  for (const std::string_view weak : {"today", "sunday", "saturday", "hospital", "patient"}) {
    if (index_word == weak) return 0.4;
  }
  return 1;
}

void ForEachConceptWord(const std::function<void(const std::string& word, const std::string& name)>& visit) {
  for (const auto& [word, name] : TheLexicon().concepts) visit(word, name);
}

bool IsTableWord(std::string_view folded) {
  const std::string word(folded);
  return TheLexicon().stop_words.contains(word) || TheLexicon().concepts.contains(word) ||
         TheLexicon().concepts.contains(Stem(word));
}

}  // namespace medidesk::assistant
