// Seals a device's records under MEDIDESK_MASTER_KEY, so that the store and its backups never hold them open.
//
//   sealed:  | version 1, 1 byte | key id, 4 bytes | nonce, 12 bytes | ciphertext | tag, 16 bytes |
//
// AES-256-GCM. Each number has a key of its own (HKDF-SHA256 of the master key); number, kind, key and revision of the
// record are authenticated: what was sealed as one record opens as no other, and as no other version of it.
//
// Rotation: the variable holds "NEW,OLD": the first key seals, all open, and NeedsResealing() finds what an old one
// sealed. When nothing is left, the old one is dropped.
//
// A value type; thread-safe as long as its Entropy is. References: RFC 5869 (HKDF), NIST SP 800-38D (GCM).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "gateway/wa/device_record.h"
#include "gateway/wa/entropy.h"

namespace medidesk::gateway {

// What a sealed record belongs to.
struct SealedName {
  std::string number_id;  // UUID
  wa::RecordName record;
  std::int64_t revision = 0;  // of the operation that writes it
};

class SealingKeys {
 public:
  static constexpr std::size_t kOverhead = 1 + 4 + 12 + 16;  // bytes of `sealed` beyond the plaintext

  // One line that says what to do when the variable is empty, no base64, or no key of 32 bytes.
  static absl::StatusOr<SealingKeys> Parse(std::string_view master_keys, wa::Entropy entropy);

  wa::Bytes Seal(const SealedName& name, wa::ByteView plain) const;
  // FAILED_PRECONDITION: sealed under a key that is not among ours. INVALID_ARGUMENT: damaged, or another record's.
  absl::StatusOr<wa::Bytes> Open(const SealedName& name, wa::ByteView sealed) const;
  // Sealed under an older key than the one that seals now. False for what is not in our form.
  bool NeedsResealing(wa::ByteView sealed) const;
  // Older keys are among them: what they sealed is to be sealed anew.
  bool rotating() const { return keys_.size() > 1; }

  // The same for something that belongs to no number, such as a backup file; `purpose` keeps uses apart.
  wa::Bytes SealFile(std::string_view purpose, wa::ByteView plain) const;
  absl::StatusOr<wa::Bytes> OpenFile(std::string_view purpose, wa::ByteView sealed) const;

 private:
  struct MasterKey {
    std::array<std::uint8_t, 32> secret;
    std::array<std::uint8_t, 4> id;
  };
  explicit SealingKeys(wa::Entropy entropy) : entropy_(std::move(entropy)) {}

  wa::Bytes SealUnder(std::string_view owner, wa::ByteView context, wa::ByteView plain) const;
  absl::StatusOr<wa::Bytes> OpenUnder(std::string_view owner, wa::ByteView context, wa::ByteView sealed) const;

  wa::Entropy entropy_;
  std::vector<MasterKey> keys_;  // the first seals; never empty
};

// The operating system's generator; ends the process where there is none.
wa::Entropy SystemEntropy();

}  // namespace medidesk::gateway
