// What both sides of a Noise handshake compute alike: the hash of all that was said, and the keys made from what was
// agreed. Section 5.2 of the Noise protocol, with SHA-256 and AES-256-GCM.
//
// Not thread-safe. Its keys are wiped with the object.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"
#include "gateway/wa/curve25519.h"

namespace medidesk::gateway::wa {

class NoiseSymmetricState {
 public:
  // `protocol_name` has at most 32 bytes.
  explicit NoiseSymmetricState(std::string_view protocol_name);
  NoiseSymmetricState(const NoiseSymmetricState&) = delete;
  NoiseSymmetricState& operator=(const NoiseSymmetricState&) = delete;
  ~NoiseSymmetricState();

  void MixHash(ByteView data);
  void MixKey(const Key32& secret);  // and the counter is 0 again

  // One key and one counter for both. DecryptAndHash: INVALID_ARGUMENT for less than a tag, UNAUTHENTICATED for what
  // the peer did not seal at this point of this handshake.
  Bytes EncryptAndHash(ByteView plaintext);
  absl::StatusOr<Bytes> DecryptAndHash(ByteView sealed);

  // The keys of the transport: from the initiator, and to it.
  std::pair<Key32, Key32> Split() const;

  const Key32& hash() const { return hash_; }
  const Key32& chaining_key() const { return chaining_key_; }
  const Key32& key() const { return key_; }
  std::uint64_t counter() const { return counter_; }

 private:
  Key32 hash_{};
  Key32 chaining_key_{};
  Key32 key_{};
  std::uint64_t counter_ = 0;
};

}  // namespace medidesk::gateway::wa
