// Numbers as the wire's big-endian bytes.
#pragma once

#include <array>
#include <cstdint>

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

inline std::array<std::uint8_t, 4> BigEndian32(std::uint32_t number) {
  return {static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
          static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

// The low 24 bits.
inline std::array<std::uint8_t, 3> BigEndian24(std::uint32_t number) {
  return {static_cast<std::uint8_t>(number >> 16), static_cast<std::uint8_t>(number >> 8),
          static_cast<std::uint8_t>(number)};
}

// Any number of bytes up to four; more count as none.
inline std::uint32_t FromBigEndian(ByteView bytes) {
  std::uint32_t number = 0;
  if (bytes.size() > 4) return 0;
  for (const std::uint8_t byte : bytes) number = number << 8 | byte;
  return number;
}

}  // namespace medidesk::gateway::wa
