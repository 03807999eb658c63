// Hashes, and keys made from secrets: SHA-256, HMAC, HKDF and PBKDF2, all with SHA-256.
//
// Functions of their arguments alone, any thread. They fail only where libcrypto is broken, which ends the process.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

using Digest32 = std::array<std::uint8_t, 32>;

Digest32 Sha256(ByteView data);
std::array<std::uint8_t, 20> Sha1(ByteView data);
std::array<std::uint8_t, 16> Md5(ByteView data);
Digest32 HmacSha256(ByteView key, ByteView data);

// RFC 5869. An empty salt is the absent one: 32 zero bytes. `size` is at most 8,160.
Bytes HkdfSha256(ByteView secret, ByteView salt, ByteView info, std::size_t size);

// RFC 2898. Takes about 50 ms for 131,072 iterations.
Digest32 Pbkdf2Sha256(ByteView password, ByteView salt, int iterations);

// Whether both hold the same bytes, in a time that does not tell where they differ.
[[nodiscard]] bool SameSecret(ByteView a, ByteView b);

// Concatenation, for what is hashed or signed.
Bytes Join(std::initializer_list<ByteView> parts);

}  // namespace medidesk::gateway::wa
