#include "base/uuid.h"

#include <openssl/rand.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>

namespace medidesk {
namespace {

// Random bytes come in blocks: RAND_bytes takes a lock each time.
void RandomBytes(std::uint8_t* out, std::size_t size) {
  thread_local std::array<std::uint8_t, 1024> block;
  thread_local std::size_t used = block.size();
  if (used + size > block.size()) {
    if (RAND_bytes(block.data(), static_cast<int>(block.size())) != 1) std::abort();  // no entropy: nothing is safe
    used = 0;
  }
  for (std::size_t i = 0; i < size; ++i) out[i] = block[used++];
}

}  // namespace

std::string NewUuid() {
  std::array<std::uint8_t, 16> bytes;
  RandomBytes(bytes.data() + 6, 10);
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  for (int i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(now >> (8 * (5 - i)));
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x70);  // version 7
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);  // variant
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[bytes[i] >> 4];
    text += kHex[bytes[i] & 15];
  }
  return text;
}

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return false;
    } else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
      return false;
    }
  }
  return true;
}

}  // namespace medidesk
