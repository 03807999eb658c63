// UTF-8 from a peer that may not keep to it.
#pragma once

#include <string>

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

// `bytes` as valid UTF-8: each byte that begins no well-formed character becomes U+FFFD, which takes three bytes.
std::string ReplaceInvalidUtf8(ByteView bytes);

}  // namespace medidesk::gateway::wa
