// Curve25519 for the simulator: agreement and XEdDSA signatures, through libsignal-protocol-c.
// Private keys are clamped on use. Thread-safe.
#pragma once

#include "base/status.h"
#include "tests/sim/whatsapp/bytes.h"

namespace medidesk::whatsapp_sim {

struct KeyPair {
  Key private_key{};
  Key public_key{};  // Montgomery form, without a type byte
};

KeyPair NewKeyPair();
KeyPair KeyPairOf(const Key& private_key);

// INVALID_ARGUMENT when the shared secret is all zero.
absl::StatusOr<Key> Agree(const Key& private_key, const Key& public_key);

Bytes Sign(const Key& private_key, View message);  // 64 bytes, not the same each time
bool Verify(const Key& public_key, View message, View signature);

}  // namespace medidesk::whatsapp_sim
