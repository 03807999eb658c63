// Key pairs on Curve25519: agreement (X25519) and signatures (XEdDSA) with one and the same key.
//
// Keys are 32 raw bytes, little endian, without the type byte 05 that Signal puts before a public one. A function of
// its arguments alone; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"
#include "gateway/wa/entropy.h"

namespace medidesk::gateway::wa {

using Key32 = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

struct KeyPair {
  Key32 private_key{};  // clamped
  Key32 public_key{};

  // The pair of a private key; any 32 bytes are one.
  static KeyPair Of(const Key32& private_key);
  static KeyPair Generate(const Entropy& entropy) { return Of(RandomArray<32>(entropy)); }

  friend bool operator==(const KeyPair&, const KeyPair&) = default;
};

// The secret that both sides of an agreement compute. INVALID_ARGUMENT for a public key that gives all zeros.
absl::StatusOr<Key32> Agree(const Key32& private_key, const Key32& public_key);

// Takes 64 bytes of entropy: the nonce is derived from them, the key and the message.
Signature Sign(const Key32& private_key, ByteView message, const Entropy& entropy);

// False for a key or a signature of another size, too.
[[nodiscard]] bool Verify(ByteView public_key, ByteView message, ByteView signature);

// `bytes` as a key, INVALID_ARGUMENT unless there are 32 of them.
absl::StatusOr<Key32> ToKey(ByteView bytes);

}  // namespace medidesk::gateway::wa
