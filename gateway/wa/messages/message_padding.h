// The padding around the plaintext of an encrypted message: n bytes of value n, 1 to 15 when we write.
#pragma once

#include <optional>

#include "gateway/wa/bytes.h"
#include "gateway/wa/entropy.h"

namespace medidesk::gateway::wa {

Bytes PadMessage(ByteView message, const Entropy& entropy);
// The bytes before the padding; nullopt when it is not whole. An empty message is one.
std::optional<ByteView> UnpadMessage(ByteView padded);

}  // namespace medidesk::gateway::wa
