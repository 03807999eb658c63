#include "gateway/wa/utf8.h"

#include <algorithm>

namespace medidesk::gateway::wa {
namespace {

// The size of the well-formed character that `bytes`, which is not empty, begins with; 0 for none.
std::size_t CharacterSize(ByteView bytes) {
  const std::uint8_t first = bytes[0];
  if (first < 0x80) return 1;
  std::size_t size = 0;
  // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF.
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    size = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    size = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    size = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  }
  if (size == 0 || bytes.size() < size || bytes[1] < low || bytes[1] > high) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if ((bytes[i] & 0xC0) != 0x80) return 0;
  }
  return size;
}

}  // namespace

std::string ReplaceInvalidUtf8(ByteView bytes) {
  if (std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte < 0x80; })) return ToString(bytes);
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t size = CharacterSize(bytes);
    text += size == 0 ? std::string_view("\xEF\xBF\xBD") : AsText(bytes.first(size));
    bytes = bytes.subspan(std::max<std::size_t>(size, 1));
  }
  return text;
}

}  // namespace medidesk::gateway::wa
