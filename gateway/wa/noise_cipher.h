// AES-256-GCM as Noise counts it: one key, and a nonce that is the number of messages so far.
//
//   nonce:   8 zero bytes | counter, 4 bytes, big endian
//   sealed:  | ciphertext | tag, 16 bytes |
//
// Move-only. Not thread-safe; sealing a message and writing it to the socket must not be reordered. The key is wiped
// with the object.
#pragma once

#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"
#include "gateway/wa/curve25519.h"

namespace medidesk::gateway::wa {

inline constexpr std::size_t kNoiseTagSize = 16;  // bytes

class NoiseCipher {
 public:
  // `counter` is the number of messages that the key has already sealed or opened.
  explicit NoiseCipher(const Key32& key, std::uint64_t counter = 0);
  NoiseCipher(NoiseCipher&&) = default;
  NoiseCipher& operator=(NoiseCipher&&) = default;
  ~NoiseCipher();

  // Appends the sealed message. RESOURCE_EXHAUSTED, and nothing appended, when the counter is used up.
  absl::Status Seal(ByteView plaintext, ByteView associated, Bytes& out);

  // INVALID_ARGUMENT for less than a tag, UNAUTHENTICATED for what was not sealed so, RESOURCE_EXHAUSTED when the
  // counter is used up; the counter then stays where it is.
  absl::StatusOr<Bytes> Open(ByteView sealed, ByteView associated);

  std::uint64_t counter() const { return counter_; }

 private:
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  enum class Use { kNone, kSeal, kOpen };

  // Readies the context for the next message; RESOURCE_EXHAUSTED when there is none.
  absl::Status Begin(Use use, ByteView associated);

  Key32 key_;
  std::uint64_t counter_;
  std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
  Use use_ = Use::kNone;
};

}  // namespace medidesk::gateway::wa
