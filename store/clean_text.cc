#include "store/clean_text.h"

#include <cstdint>

namespace medidesk::store {
namespace {

// Length of the valid code point at the front of `text` (Unicode 15, table 3-7), 0 when there is none.
std::size_t CodePointLength(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
  };
  const auto continues = [&](std::size_t i, std::uint8_t low = 0x80, std::uint8_t high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const std::uint8_t low = first == 0xe0 ? 0xa0 : 0x80, high = first == 0xed ? 0x9f : 0xbf;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const std::uint8_t low = first == 0xf0 ? 0x90 : 0x80, high = first == 0xf4 ? 0x8f : 0xbf;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string CleanText(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd", kMark = "\xe2\x80\xa6";
  std::string clean;
  clean.reserve(text.size() < max_bytes ? text.size() : max_bytes);
  std::size_t cut = 0;  // where the mark would still fit
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = text[at] == '\0' ? 0 : CodePointLength(text.substr(at));
    const std::string_view piece = length == 0 ? kReplacement : text.substr(at, length);
    if (clean.size() + piece.size() > max_bytes) {
      clean.resize(cut);
      clean += kMark;
      return clean;
    }
    clean += piece;
    if (clean.size() + kMark.size() <= max_bytes) cut = clean.size();
    at += length == 0 ? 1 : length;
  }
  return clean;
}

}  // namespace medidesk::store
