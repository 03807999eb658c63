// Finds the documents nearest to a query: BM25 over folded words, with near spellings found by trigrams.
//
// A document has phrases (names, aliases, questions: what people call it) and a body (what it says). A word in
// a phrase weighs more than one in the body. Built once, then immutable and thread-safe; a search is linear in
// the postings of the query's words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace medidesk::assistant {

struct IndexedTexts {
  std::vector<std::string> phrases;
  std::vector<std::string> bodies;
};

struct Match {
  int document = 0;
  double score = 0;  // BM25; comparable within one search only
  // 0 to 1: how well one of the document's phrases and the query say the same, both ways, by weight of
  // words. Comparable between searches.
  double likeness = 0;
};

class SearchIndex {
 public:
  // The id of the document: 0, 1, 2, ...
  int Add(const IndexedTexts& texts);
  // After the last Add, before the first Search.
  void Finish();

  // Best first, at most `limit`.
  std::vector<Match> Search(std::string_view query, std::size_t limit) const;

  // The same words with those that no document holds replaced by their nearest spelling, if there is one.
  std::vector<std::string> Corrected(const std::vector<std::string>& words) const;
  bool Knows(const std::string& word) const { return ids_.contains(word); }
  // Whether the document holds the index word, in a phrase or in its body.
  bool Holds(int document, const std::string& word) const;

  std::size_t size() const { return lengths_.size(); }

 private:
  using TermId = std::uint32_t;
  struct Posting {
    std::uint32_t document = 0;
    float weight = 0;  // of the term in the document, summed over its places
  };
  struct Phrase {
    std::uint32_t document = 0;
    std::vector<TermId> terms;  // ascending, unique
    float weight = 0;           // sum of their idf
  };
  struct QueryTerm {
    std::vector<std::pair<TermId, double>> terms;  // itself, or near spellings with how near
    double idf = 0;
  };

  struct Spelling {
    std::string word;
    TermId term = 0;
  };

  TermId Intern(const std::string& term);
  void AddSpelling(const std::string& word, TermId term);
  bool HasPosting(TermId term, int document) const;
  std::vector<QueryTerm> Resolve(std::string_view query) const;
  std::vector<std::pair<TermId, double>> NearSpellings(const std::string& word) const;

  std::unordered_map<std::string, TermId> ids_;
  std::vector<std::string> terms_;
  std::vector<std::vector<Posting>> postings_;  // by term
  std::vector<double> idf_;                     // by term
  std::vector<Phrase> phrases_;
  std::vector<std::vector<std::uint32_t>> phrases_of_;  // by document
  std::vector<float> lengths_;                          // by document, weighted
  double average_length_ = 1;
  std::vector<Spelling> spellings_;                                         // what a misspelt word may have meant
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> trigrams_;  // places in spellings_
};

}  // namespace medidesk::assistant
