#include "gateway/wa/messages/message_padding.h"

#include <algorithm>

namespace medidesk::gateway::wa {

Bytes PadMessage(ByteView message, const Entropy& entropy) {
  const std::uint8_t nibble = RandomArray<1>(entropy)[0] & 15;
  const std::uint8_t size = nibble == 0 ? 15 : nibble;
  Bytes padded = ToBytes(message);
  padded.insert(padded.end(), size, size);
  return padded;
}

std::optional<ByteView> UnpadMessage(ByteView padded) {
  if (padded.empty()) return std::nullopt;
  const std::uint8_t size = padded.back();
  if (size == 0 || size > padded.size()) return std::nullopt;
  const ByteView padding = padded.last(size);
  if (!std::all_of(padding.begin(), padding.end(), [size](std::uint8_t byte) { return byte == size; })) {
    return std::nullopt;
  }
  return padded.first(padded.size() - size);
}

}  // namespace medidesk::gateway::wa
