#include "assistant/facts/tokens.h"

#include <cstdint>
#include <limits>

namespace medidesk::assistant {

int EstimateTokens(std::string_view text) {
  // In twenty-firsts of a token: a Latin byte is 6 (1/3.5), a character of another script 14 (2/3).
  std::uint64_t parts = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      parts += 6;
    } else if (byte >= 0xC3 && byte <= 0xC9) {
      parts += 12;  // the lead byte of an accented Latin letter; its second byte counts nothing
    } else if (byte >= 0xC0 || byte == 0xC2) {
      parts += 14;
    }  // else a continuation
  }
  if (parts == 0) return text.empty() ? 0 : 1;
  const std::uint64_t tokens = (parts + 20) / 21;
  return tokens > std::numeric_limits<int>::max() ? std::numeric_limits<int>::max() : static_cast<int>(tokens);
}

}  // namespace medidesk::assistant
