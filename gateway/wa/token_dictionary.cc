#include "gateway/wa/token_dictionary.h"

#include <array>
#include <cstddef>

#include "gateway/wa/token_table.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::uint8_t kFirstPage = 0xEC;
constexpr std::size_t kLongest = 64;  // bytes; no word is longer

constexpr std::uint32_t HashOf(std::string_view word) {
  std::uint32_t hash = 2166136261u;  // FNV-1a: spreads short words well enough over a table that is a third full
  for (const char c : word) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619u;
  return hash ^ hash >> 15;
}

// Open addressing: a slot holds the place of a word in the table, 0 is a free slot.
constexpr std::size_t kSlots = 4096;
using Index = std::array<std::uint16_t, kSlots>;

Index MakeIndex() {
  Index slots{};
  for (std::uint16_t i = 1; i < kTokens; ++i) {
    std::size_t slot = HashOf(kTokenTable[i]) % kSlots;
    while (slots[slot] != 0) slot = (slot + 1) % kSlots;
    slots[slot] = i;
  }
  return slots;
}

}  // namespace

std::string_view SingleToken(std::uint8_t first) {
  return first < kSingleTokens ? kTokenTable[first] : std::string_view();
}

std::string_view DoubleToken(std::uint8_t page, std::uint8_t second) {
  if (page < kFirstPage || page >= kFirstPage + kTokenPages) return {};
  return kTokenTable[kSingleTokens + (page - kFirstPage) * kTokensOnAPage + second];
}

std::optional<Token> FindToken(std::string_view word) {
  if (word.empty() || word.size() > kLongest) return std::nullopt;
  static const Index index = MakeIndex();
  for (std::size_t slot = HashOf(word) % kSlots; index[slot] != 0; slot = (slot + 1) % kSlots) {
    const std::size_t i = index[slot];
    if (kTokenTable[i] != word) continue;
    if (i < kSingleTokens) return Token{.first = static_cast<std::uint8_t>(i)};
    return Token{.first = static_cast<std::uint8_t>(kFirstPage + (i - kSingleTokens) / kTokensOnAPage),
                 .second = static_cast<std::uint8_t>((i - kSingleTokens) % kTokensOnAPage)};
  }
  return std::nullopt;
}

}  // namespace medidesk::gateway::wa
