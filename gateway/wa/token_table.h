// The words of tokens.txt in the order of their bytes, put into a source file at build time by EmbedTokens.cmake.
#pragma once

#include <cstddef>
#include <string_view>

namespace medidesk::gateway::wa {

inline constexpr std::size_t kSingleTokens = 236;  // the empty word of byte 00 included
inline constexpr std::size_t kTokenPages = 4;
inline constexpr std::size_t kTokensOnAPage = 256;
inline constexpr std::size_t kTokens = kSingleTokens + kTokenPages * kTokensOnAPage;

extern const std::string_view kTokenTable[kTokens];

}  // namespace medidesk::gateway::wa
