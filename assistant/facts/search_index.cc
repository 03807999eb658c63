#include "assistant/facts/search_index.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "assistant/facts/words.h"

namespace medidesk::assistant {
namespace {

constexpr double kPhraseWeight = 3.0, kBodyWeight = 1.0;
constexpr double kK1 = 1.2, kB = 0.4;        // BM25; facts are short, so length matters little
constexpr std::size_t kMaxQueryWords = 64;   // a longer message is cut
constexpr std::size_t kMinTypoBytes = 4;     // shorter words have too many neighbours
constexpr std::size_t kMinOtherScript = 14;  // the same where a letter is two or three bytes
constexpr int kMinSharedTrigrams = 2;
constexpr std::size_t kMaxNearSpellings = 3;

// Bytes with marks for begin and end, three to a number.
std::vector<std::uint64_t> Trigrams(const std::string& word) {
  const std::string marked = "\x02" + word + "\x03";
  std::vector<std::uint64_t> grams;
  for (std::size_t i = 0; i + 3 <= marked.size(); ++i) {
    grams.push_back(static_cast<std::uint64_t>(static_cast<unsigned char>(marked[i])) << 16 |
                    static_cast<std::uint64_t>(static_cast<unsigned char>(marked[i + 1])) << 8 |
                    static_cast<std::uint64_t>(static_cast<unsigned char>(marked[i + 2])));
  }
  std::sort(grams.begin(), grams.end());
  grams.erase(std::unique(grams.begin(), grams.end()), grams.end());
  return grams;
}

// Changes of one letter, swaps of two neighbours included; `limit` + 1 when there are more.
int EditDistance(std::string_view a, std::string_view b, int limit) {
  const auto size_a = static_cast<int>(a.size()), size_b = static_cast<int>(b.size());
  if (std::abs(size_a - size_b) > limit) return limit + 1;
  std::vector<int> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (int j = 0; j <= size_b; ++j) last[static_cast<std::size_t>(j)] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    int best = row[0];
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
      best = std::min(best, row[j]);
    }
    if (best > limit) return limit + 1;
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

SearchIndex::TermId SearchIndex::Intern(const std::string& term) {
  const auto [at, added] = ids_.emplace(term, static_cast<TermId>(terms_.size()));
  if (added) {
    terms_.push_back(term);
    postings_.emplace_back();
  }
  return at->second;
}

int SearchIndex::Add(const IndexedTexts& texts) {
  const auto document = static_cast<std::uint32_t>(lengths_.size());
  std::map<TermId, double> phrase_weights, body_weights;
  phrases_of_.emplace_back();
  for (const std::string& text : texts.phrases) {
    std::set<TermId> terms;
    for (const std::string& word : IndexWords(text)) terms.insert(Intern(word));
    for (const TermId term : terms) phrase_weights[term] += 1;
    if (terms.empty()) continue;
    phrases_of_.back().push_back(static_cast<std::uint32_t>(phrases_.size()));
    phrases_.push_back({document, {terms.begin(), terms.end()}, 0});
  }
  for (const std::string& text : texts.bodies) {
    for (const std::string& word : IndexWords(text)) body_weights[Intern(word)] += kBodyWeight;
  }
  // Ten alternatives that all say "parking" are no ten times parking.
  std::map<TermId, double> weights = body_weights;
  for (const auto& [term, count] : phrase_weights) weights[term] += kPhraseWeight * (1 + std::log(count));
  double length = 0;
  for (const auto& [term, weight] : weights) {
    postings_[term].push_back({document, static_cast<float>(weight)});
    length += weight;
  }
  lengths_.push_back(static_cast<float>(length));
  return static_cast<int>(document);
}

void SearchIndex::Finish() {
  double total = 0;
  for (const float length : lengths_) total += length;
  average_length_ = lengths_.empty() ? 1 : std::max(1.0, total / static_cast<double>(lengths_.size()));
  const auto documents = static_cast<double>(lengths_.size());
  idf_.resize(terms_.size());
  for (std::size_t term = 0; term < terms_.size(); ++term) {
    const auto with = static_cast<double>(postings_[term].size());
    idf_[term] = std::log(1 + (documents - with + 0.5) / (with + 0.5)) * WordWeight(terms_[term]);
    AddSpelling(terms_[term], static_cast<TermId>(term));
  }
  ForEachConceptWord([this](const std::string& word, const std::string& name) {
    if (const auto found = ids_.find(name); found != ids_.end() && word != name) AddSpelling(word, found->second);
  });
  for (Phrase& phrase : phrases_) {
    for (const TermId term : phrase.terms) phrase.weight += static_cast<float>(idf_[term]);
  }
}

void SearchIndex::AddSpelling(const std::string& word, TermId term) {
  if (word.size() < kMinTypoBytes) return;
  for (const std::uint64_t gram : Trigrams(word))
    trigrams_[gram].push_back(static_cast<std::uint32_t>(spellings_.size()));
  spellings_.push_back({word, term});
}

std::vector<std::pair<SearchIndex::TermId, double>> SearchIndex::NearSpellings(const std::string& word) const {
  if (word.size() < kMinTypoBytes) return {};
  std::unordered_map<std::uint32_t, int> shared;
  for (const std::uint64_t gram : Trigrams(word)) {
    const auto found = trigrams_.find(gram);
    if (found == trigrams_.end()) continue;
    for (const std::uint32_t spelling : found->second) ++shared[spelling];
  }
  const bool latin = static_cast<unsigned char>(word.front()) < 0x80;
  if (!latin && word.size() < kMinOtherScript) return {};
  const int limit = word.size() >= 8 ? 2 : 1;
  std::map<TermId, int> nearest;  // by term: fewest changes
  for (const auto& [id, count] : shared) {
    const Spelling& spelling = spellings_[id];
    // The first letter is hardly ever the wrong one, and holding to it keeps "pest" from being "test".
    if (count < kMinSharedTrigrams || spelling.word.front() != word.front()) continue;
    // Four letters are near so many words that only a letter left out counts.
    if (word.size() == kMinTypoBytes && spelling.word.size() <= word.size()) continue;
    const int distance = EditDistance(word, spelling.word, limit);
    if (distance > limit) continue;
    const auto [at, added] = nearest.emplace(spelling.term, distance);
    if (!added) at->second = std::min(at->second, distance);
  }
  std::vector<std::pair<TermId, double>> near;
  for (const auto& [term, distance] : nearest) near.emplace_back(term, distance <= 1 ? 0.9 : 0.75);
  std::sort(near.begin(), near.end(), [this](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : terms_[a.first] < terms_[b.first];
  });
  while (!near.empty() && near.back().second < near.front().second) near.pop_back();  // only the nearest
  if (near.size() > kMaxNearSpellings) near.resize(kMaxNearSpellings);
  return near;
}

std::vector<std::string> SearchIndex::Corrected(const std::vector<std::string>& words) const {
  std::vector<std::string> corrected;
  corrected.reserve(words.size());
  for (const std::string& word : words) {
    if (corrected.size() >= kMaxQueryWords) break;
    if (!ids_.contains(word)) {
      if (const auto near = NearSpellings(word); !near.empty()) {
        corrected.push_back(terms_[near.front().first]);
        continue;
      }
    }
    corrected.push_back(word);
  }
  return corrected;
}

bool SearchIndex::HasPosting(TermId term, int document) const {
  const std::vector<Posting>& list = postings_[term];
  const auto at = std::lower_bound(list.begin(), list.end(), document, [](const Posting& posting, int id) {
    return static_cast<int>(posting.document) < id;
  });
  return at != list.end() && static_cast<int>(at->document) == document;
}

bool SearchIndex::Holds(int document, const std::string& word) const {
  const auto found = ids_.find(word);
  return found != ids_.end() && HasPosting(found->second, document);
}

std::vector<SearchIndex::QueryTerm> SearchIndex::Resolve(std::string_view query) const {
  std::vector<QueryTerm> resolved;
  std::set<std::string> seen;
  const double unknown_idf = std::log(1 + (static_cast<double>(lengths_.size()) + 0.5) / 0.5);
  for (const std::string& word : IndexWords(query)) {
    if (resolved.size() >= kMaxQueryWords) break;
    if (!seen.insert(word).second) continue;
    QueryTerm term;
    term.idf = unknown_idf;
    if (const auto found = ids_.find(word); found != ids_.end()) {
      term.terms.emplace_back(found->second, 1.0);
      term.idf = idf_[found->second];
    } else {
      term.terms = NearSpellings(word);
      for (const auto& [near, nearness] : term.terms) term.idf = std::min(term.idf, idf_[near]);
    }
    resolved.push_back(std::move(term));
  }
  return resolved;
}

std::vector<Match> SearchIndex::Search(std::string_view query, std::size_t limit) const {
  const std::vector<QueryTerm> query_terms = Resolve(query);
  std::unordered_map<std::uint32_t, double> scores;
  double query_weight = 0;
  for (const QueryTerm& query_term : query_terms) {
    query_weight += query_term.idf;
    for (const auto& [term, nearness] : query_term.terms) {
      for (const Posting& posting : postings_[term]) {
        const double length = lengths_[posting.document] / average_length_;
        const double frequency = posting.weight;
        scores[posting.document] +=
            nearness * idf_[term] * frequency * (kK1 + 1) / (frequency + kK1 * (1 - kB + kB * length));
      }
    }
  }
  std::vector<Match> matches;
  matches.reserve(scores.size());
  for (const auto& [document, score] : scores) matches.push_back({static_cast<int>(document), score, 0});
  std::sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    return a.score != b.score ? a.score > b.score : a.document < b.document;
  });
  if (matches.size() > limit) matches.resize(limit);

  for (Match& match : matches) {
    // Words that only the body explains count half.
    for (const std::uint32_t id : phrases_of_[static_cast<std::size_t>(match.document)]) {
      const Phrase& phrase = phrases_[id];
      double both = 0, explained = 0;
      for (const QueryTerm& query_term : query_terms) {
        double in_phrase = 0, in_body = 0;
        for (const auto& [term, nearness] : query_term.terms) {
          if (std::binary_search(phrase.terms.begin(), phrase.terms.end(), term)) {
            in_phrase = std::max(in_phrase, nearness);
          } else if (HasPosting(term, match.document)) {
            in_body = std::max(in_body, nearness);
          }
        }
        both += query_term.idf * in_phrase;
        explained += query_term.idf * std::max(in_phrase, 0.5 * in_body);
      }
      if (both <= 0 || query_weight <= 0 || phrase.weight <= 0) continue;
      const double of_query = explained / query_weight, of_phrase = std::min(1.0, both / phrase.weight);
      match.likeness = std::max(match.likeness, 2 * of_query * of_phrase / (of_query + of_phrase));
    }
  }
  return matches;
}

}  // namespace medidesk::assistant
