// AES with 256-bit keys as linking uses it: GCM to seal, CTR to wrap a key under a code.
//
// Functions of their arguments alone, any thread. Keys have 32 bytes, GCM's nonce 12, CTR's counter block 16.
#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

using AesKey = std::span<const std::uint8_t, 32>;
using GcmNonce = std::span<const std::uint8_t, 12>;
using CtrBlock = std::span<const std::uint8_t, 16>;

inline constexpr std::size_t kGcmTagSize = 16;  // bytes

// plaintext || 16 bytes of tag, without further authenticated data.
Bytes SealGcm(AesKey key, GcmNonce nonce, ByteView plaintext);
// UNAUTHENTICATED unless `sealed` was made so with this key and nonce.
absl::StatusOr<Bytes> OpenGcm(AesKey key, GcmNonce nonce, ByteView sealed);

// Encrypts and decrypts alike; `initial` is the first 128-bit big-endian counter. Nothing is authenticated.
Bytes ApplyCtr(AesKey key, CtrBlock initial, ByteView data);

}  // namespace medidesk::gateway::wa
