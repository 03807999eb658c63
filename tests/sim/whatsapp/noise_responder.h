// The server's side of Noise_XX_25519_AESGCM_SHA256, sans-I/O: frames' payloads in, frames' payloads out.
//
//   NoiseResponder noise({.ephemeral = NewKeyPair(), .server = authority.server_key(), .chain = authority.Chain(..)});
//   Send(*noise.OnClientHello(first_frame));
//   const ClientFinished client = *noise.OnClientFinish(second_frame);
//   NoiseTransport transport = noise.Split();
//
// INVALID_ARGUMENT for whatever a client gets wrong; the connection is to be closed then. Not thread-safe.
#pragma once

#include "base/status.h"
#include "tests/sim/whatsapp/bytes.h"
#include "tests/sim/whatsapp/crypto.h"
#include "tests/sim/whatsapp/curve.h"

namespace medidesk::whatsapp_sim {

struct NoiseTransport {
  GcmStream from_client;
  GcmStream to_client;
};

class NoiseResponder {
 public:
  struct Keys {
    KeyPair ephemeral;
    KeyPair server;
    Bytes chain;  // serialized CertChain
  };
  struct ClientFinished {
    Key noise_key;  // the client's static public key
    Bytes payload;  // serialized ClientPayload
  };

  explicit NoiseResponder(Keys keys);

  absl::StatusOr<Bytes> OnClientHello(View frame);
  absl::StatusOr<ClientFinished> OnClientFinish(View frame);
  // After OnClientFinish.
  NoiseTransport Split() const;

 private:
  void MixHash(View bytes);
  absl::Status MixKey(const Key& private_key, const Key& public_key);
  Bytes Encrypt(View plain);
  std::optional<Bytes> Decrypt(View sealed);
  Bytes NextIv();

  Keys keys_;
  Key hash_, chaining_key_, key_;
  std::uint32_t counter_ = 0;
};

}  // namespace medidesk::whatsapp_sim
