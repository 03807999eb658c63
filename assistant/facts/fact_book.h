// One revision of the hospital's facts, ready to answer from: as text for the model's prompt, and as an
// index that finds the facts nearest to a patient's words.
//
// Immutable and thread-safe; shared by all turns until the facts change. Facts that were never imported make
// an empty book that answers every call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "assistant/facts/search_index.h"
#include "medidesk/store/v1/knowledge.pb.h"

namespace medidesk::assistant {

enum class FactKind : std::uint8_t { kVisitingHours, kDepartment, kDoctor, kFaq };

struct Hit {
  FactKind kind = FactKind::kFaq;
  int row = 0;            // index into the facts' list of this kind
  std::string_view key;   // lives as long as the book, like `text`
  double score = 0;       // BM25: comparable within one search only
  std::string_view text;  // the fact as it stands in FactBook::text()
};

// A row and the index words of one of its names.
struct NamedRow {
  int row = 0;
  std::vector<std::string> words;
};

class FactBook {
 public:
  static std::shared_ptr<const FactBook> Make(store::v1::GetFactsResponse facts);

  const store::v1::GetFactsResponse& facts() const { return facts_; }
  std::int64_t revision() const { return facts_.revision(); }

  // Every fact as plain text in a fixed order: the hospital, its visiting hours, departments, doctors, FAQs.
  // The same facts give the same bytes, so that a model's prompt cache holds.
  const std::string& text() const { return text_; }
  int tokens() const { return tokens_; }

  // Best first, at most `limit`. Knows plurals, typing errors and common words of seven languages.
  std::vector<Hit> Search(std::string_view query, std::size_t limit) const;

  // The hospital's settings and visiting hours, then the best hits that still fit `token_budget`, in the order
  // of text(). The settings are there even when they alone are larger than the budget.
  std::string Select(std::string_view query, int token_budget) const;

  // What is behind Search(): the index, and the fact that one of its documents is.
  const SearchIndex& index() const { return index_; }
  Hit Document(int document, double score) const;
  int DocumentOf(FactKind kind, int row) const;

  // Every name and alias of a department or visiting area, and the full name of every doctor.
  const std::vector<NamedRow>& department_names() const { return department_names_; }
  const std::vector<NamedRow>& area_names() const { return area_names_; }
  const std::vector<NamedRow>& doctor_names() const { return doctor_names_; }

 private:
  struct Row {
    FactKind kind = FactKind::kFaq;
    int row = 0;
    std::string text;
  };

  explicit FactBook(store::v1::GetFactsResponse facts);
  void Add(FactKind kind, int row, std::string text, IndexedTexts words);
  std::string TextOf(const std::vector<char>& chosen) const;  // the head and the chosen rows
  std::string_view KeyOf(const Row& row) const;

  store::v1::GetFactsResponse facts_;
  std::vector<Row> rows_;  // document ids of the index are places in it; in the order of text()
  std::string head_;       // the hospital's settings as text
  std::string text_;
  int tokens_ = 0;
  SearchIndex index_;
  std::vector<NamedRow> department_names_, area_names_, doctor_names_;
};

}  // namespace medidesk::assistant
