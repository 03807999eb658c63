// The data behind words.cc.
#pragma once

#include <span>
#include <string_view>

namespace medidesk::assistant {

// Each row: "concept | word word ...": these words, of any language, count as the concept. Words are spelled as
// people write them; folding and stemming happen on loading.
std::span<const std::string_view> ConceptRows();

// Rows of words that carry no meaning for search, separated by spaces.
std::span<const std::string_view> StopWordRows();

}  // namespace medidesk::assistant
