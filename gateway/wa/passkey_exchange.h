// Linking an account that a passkey guards: the keys and the code that both devices agree on.
//
//   companion -> phone: commitment to (C, ref, Nc)      phone -> companion: Q, Np
//   companion -> phone: Nc                              both: an 8-character code, and a key for the ADV secret
//
// Functions of their arguments; any thread. Everything here is a secret of one attempt.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "gateway/wa/curve25519.h"

namespace medidesk::gateway::wa {

// What proves that this device is the one whose code the phone has seen.
Key32 PasskeyHandoffKey(const Key32& adv_secret);
Key32 PasskeyHandoffProof(const Key32& handoff_key, ByteView prologue);

// The ProloguePayload: our ephemeral key and ref, and a commitment to the nonce.
Bytes PasskeyPrologue(const Key32& ephemeral_public, int device_type, std::string_view ref, const Key32& nonce);

struct PrimaryEphemeral {
  Key32 public_key;
  Key32 nonce;
};
// INVALID_ARGUMENT unless both are there with 32 bytes.
absl::StatusOr<PrimaryEphemeral> ParsePrimaryEphemeral(ByteView message);

struct PasskeyAgreement {
  Key32 key;         // for the pairing request
  std::string code;  // 8 characters, to be compared with the phone
};
// INVALID_ARGUMENT for a key of the phone's that gives no secret.
absl::StatusOr<PasskeyAgreement> AgreeOnPasskey(const KeyPair& ephemeral, const Key32& nonce,
                                                const PrimaryEphemeral& primary, int device_type, std::string_view ref);

// The EncryptedPairingRequest: our keys and the ADV secret that the phone shall use.
Bytes PasskeyPairingRequest(const Key32& key, const Key32& noise_public, const Key32& identity_public,
                            const Key32& adv_secret, const Entropy& entropy);

}  // namespace medidesk::gateway::wa
