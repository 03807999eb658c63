// How many tokens of a language model a text is worth, without asking the model.
//
// An estimate that errs on the high side: 3.5 bytes a token for Latin text, about one and a half
// characters for other scripts. Thread-safe, linear.
#pragma once

#include <string_view>

namespace medidesk::assistant {

// 0 for an empty text, at least 1 for any other. Bytes that are no UTF-8 count, too.
int EstimateTokens(std::string_view text);

}  // namespace medidesk::assistant
