// Randomness as an argument: gateway/wa makes none of its own, so that a test can replay a run byte by byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

// Fills the span with bytes that nobody can predict: a cryptographic generator in production. Never fails; a caller
// whose generator can fail ends the process instead. Called on the thread of whoever was given it.
using Entropy = std::function<void(std::span<std::uint8_t>)>;

template <std::size_t kSize>
std::array<std::uint8_t, kSize> RandomArray(const Entropy& entropy) {
  std::array<std::uint8_t, kSize> bytes;
  entropy(bytes);
  return bytes;
}

// Evenly from [0, bound), near enough for times and jitter; bound > 0.
inline std::uint32_t RandomBelow(const Entropy& entropy, std::uint32_t bound) {
  std::uint64_t number = 0;
  for (const std::uint8_t byte : RandomArray<8>(entropy)) number = number << 8 | byte;
  return static_cast<std::uint32_t>(number % bound);
}

}  // namespace medidesk::gateway::wa
