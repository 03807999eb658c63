// The frames of a connection after its handshake: one key and counter for each direction.
//
// Sans-I/O, move-only, not thread-safe. What SealFrame() gave must reach the socket in that order.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"
#include "gateway/wa/noise_cipher.h"

namespace medidesk::gateway::wa {

class NoiseTransport {
 public:
  NoiseTransport(const Key32& write_key, const Key32& read_key) : write_(write_key), read_(read_key) {}

  // Appends a whole frame, its length included, that carries `plaintext` (a node with its flags). INVALID_ARGUMENT for
  // what fits into no frame, RESOURCE_EXHAUSTED when the counter is used up; nothing is appended then.
  absl::Status SealFrame(ByteView plaintext, Bytes& out);

  // The plaintext of a frame's payload. INVALID_ARGUMENT or UNAUTHENTICATED for a frame that is not the next one of
  // the peer, on this and every later call: the connection is broken, close it.
  absl::StatusOr<Bytes> OpenFrame(ByteView payload);

 private:
  NoiseCipher write_;
  NoiseCipher read_;
  absl::Status broken_;
};

}  // namespace medidesk::gateway::wa
