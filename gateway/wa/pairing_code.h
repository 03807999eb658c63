// Linking by a code that the person types into the phone: the code, and the keys exchanged under it.
//
//   wrapped key:  salt, 32 | counter block, 16 | the key under AES-256-CTR, 32      80 bytes
//   bundle:       salt, 32 | nonce, 12 | AES-256-GCM of identities and randomness, 112      156 bytes
//
// Functions of their arguments; any thread. Wrapping and unwrapping stretch the code, which takes about 50 ms.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "gateway/wa/curve25519.h"

namespace medidesk::gateway::wa {

// 5 bytes as 8 characters of 123456789ABCDEFGHJKLMNPQRSTVWXYZ, the first bits first.
std::string EncodeCode(std::span<const std::uint8_t, 5> bytes);
// "ABCD-1234".
std::string DisplayCode(std::string_view code);

Bytes WrapKey(std::string_view code, const Key32& key, const Entropy& entropy);
// INVALID_ARGUMENT for another size. A wrong code is not noticed here: it gives another key.
absl::StatusOr<Key32> UnwrapKey(std::string_view code, ByteView wrapped);

struct CodeBundle {
  Bytes wrapped;     // for the phone
  Key32 adv_secret;  // what the phone derives from it: replaces the device's own
};

// INVALID_ARGUMENT for a key of the phone's that gives no secret.
absl::StatusOr<CodeBundle> MakeCodeBundle(const KeyPair& ephemeral, const Key32& phone_ephemeral,
                                          const KeyPair& identity, const Key32& phone_identity, const Entropy& entropy);

// The digits of an international number, without + and not starting with 0: 7 to 15 of them.
bool IsLinkablePhone(std::string_view digits);

}  // namespace medidesk::gateway::wa
