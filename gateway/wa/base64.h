// Base64 in the two forms that linking uses: with padding in QR codes, for URLs and without in passkeys.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

std::string ToBase64(ByteView bytes);     // standard alphabet, padded
std::string ToBase64Url(ByteView bytes);  // URL alphabet, no padding

// Strict: the URL alphabet alone, no padding, no bits left over; nullopt otherwise.
std::optional<Bytes> FromBase64Url(std::string_view text);

}  // namespace medidesk::gateway::wa
