// What an import makes of the facts, as a person reads it: the changed rows field by field, in the words of
// the hospital file.
#pragma once

#include <vector>

#include "store/knowledge/facts.h"
#include "store/knowledge/row_change.h"

namespace medidesk::store {

// Most rows that one answer describes, and most bytes of them together.
inline constexpr int kMaxDifferences = 500;
inline constexpr std::size_t kMaxDifferencesBytes = 1u << 20;

// Fills `differences` and `differences_left_out` from `changes`, which lead from `before` to `after`; both
// sorted by key. A row that does not fit the limits is left out whole, and so is all that follows it.
void DescribeDifferences(const Facts& before, const Facts& after, const std::vector<RowChange>& changes,
                         v1::KnowledgeServiceImportResponse* response);

}  // namespace medidesk::store
