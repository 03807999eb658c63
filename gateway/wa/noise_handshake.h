// The client's side of Noise_XX_25519_AESGCM_SHA256: who the server is, who we are, and the keys of the transport.
//
//   ClientHello{e} ->
//                       <- ServerHello{e, sealed static, sealed certificate chain}
//   ClientFinish{sealed static, sealed payload} ->                                    then transport frames both ways
//
// Sans-I/O and without randomness: the ephemeral key pair, made fresh for each connection, is an argument. Frames and
// the connection header are the frame codec's. Not thread-safe; one object belongs to one connection.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"
#include "gateway/wa/curve25519.h"
#include "gateway/wa/noise_certificate.h"
#include "gateway/wa/noise_symmetric_state.h"
#include "gateway/wa/noise_transport.h"

namespace medidesk::gateway::wa {

class NoiseHandshake {
 public:
  struct Result {
    Bytes client_finish;       // payload of the frame to send now
    NoiseTransport transport;  // for every frame after it, and for every one that comes
    absl::Status dates;        // not OK only where NoiseTrust::ignore_dates let a chain pass: worth a warning
  };

  // `noise_key` is the device's lasting key.
  NoiseHandshake(const KeyPair& ephemeral, const KeyPair& noise_key);
  ~NoiseHandshake();

  // Payload of the first frame.
  Bytes ClientHello() const;

  // Takes the payload of the server's first frame and the ClientPayload that says who we are. Once only.
  //
  // INVALID_ARGUMENT for a message or a key that is malformed, UNAUTHENTICATED for one that was not sealed for this
  // handshake, PERMISSION_DENIED and FAILED_PRECONDITION as VerifyNoiseCertificate() has them. After an error nothing
  // of ours may be sent: close the connection.
  absl::StatusOr<Result> ReadServerHello(ByteView server_hello, ByteView client_payload, const NoiseTrust& trust);

 private:
  KeyPair ephemeral_;
  KeyPair noise_key_;
  NoiseSymmetricState state_;
  bool done_ = false;
};

}  // namespace medidesk::gateway::wa
