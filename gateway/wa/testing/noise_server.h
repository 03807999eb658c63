// A server for tests of the client's handshake: it makes certificate chains, right or wrong in one thing, and answers
// a ClientHello.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "gateway/wa/frame_codec.h"
#include "gateway/wa/noise_symmetric_state.h"
#include "gateway/wa/noise_transport.h"
#include "gateway/wa/testing/scripted_entropy.h"
#include "whatsapp/cert.pb.h"
#include "whatsapp/handshake.pb.h"

namespace medidesk::gateway::wa::testing {

// A key pair that is the same in every run.
inline KeyPair FixedPair(std::uint8_t seed) { return KeyPair::Generate(ScriptedEntropy({}, seed)); }

// What a chain says; a test changes one thing.
struct ChainSpec {
  KeyPair root = FixedPair(1);
  KeyPair intermediate = FixedPair(2);
  KeyPair leaf_signer = intermediate;
  std::uint32_t intermediate_serial = 5;
  std::uint32_t intermediate_issuer = 0;
  std::uint32_t leaf_issuer = 5;
  Bytes intermediate_key = ToBytes(ByteView(intermediate.public_key));
  Bytes leaf_key = ToBytes(ByteView(FixedPair(3).public_key));
  std::uint64_t intermediate_not_before = 1'000;
  std::uint64_t intermediate_not_after = 5'000;
  std::uint64_t leaf_not_before = 2'000;
  std::uint64_t leaf_not_after = 4'000;
};

inline void FillCertificate(whatsapp::NoiseCertificate& certificate, const whatsapp::NoiseCertificateDetails& details,
                            const KeyPair& signer) {
  certificate.set_details(details.SerializeAsString());
  certificate.set_signature(ToString(Sign(signer.private_key, AsBytes(certificate.details()), ScriptedEntropy({}, 9))));
}

inline whatsapp::CertChain MakeChain(const ChainSpec& spec) {
  whatsapp::CertChain chain;
  whatsapp::NoiseCertificateDetails details;
  details.set_serial(spec.intermediate_serial);
  // An absent issuer is the root's 0.
  if (spec.intermediate_issuer != 0) details.set_issuer_serial(spec.intermediate_issuer);
  details.set_key(ToString(spec.intermediate_key));
  details.set_not_before(spec.intermediate_not_before);
  details.set_not_after(spec.intermediate_not_after);
  FillCertificate(*chain.mutable_intermediate(), details, spec.root);
  details.Clear();
  details.set_serial(9);
  details.set_issuer_serial(spec.leaf_issuer);
  details.set_key(ToString(spec.leaf_key));
  details.set_not_before(spec.leaf_not_before);
  details.set_not_after(spec.leaf_not_after);
  FillCertificate(*chain.mutable_leaf(), details, spec.leaf_signer);
  return chain;
}

// The responder. One object serves one connection.
class NoiseServer {
 public:
  explicit NoiseServer(KeyPair static_key = FixedPair(3), KeyPair ephemeral = FixedPair(4))
      : static_key_(static_key), ephemeral_(ephemeral) {
    state_.MixHash(kConnectionHeader);
  }

  // A ServerHello that carries `chain`, whatever it is.
  Bytes Answer(ByteView client_hello, ByteView chain) {
    whatsapp::HandshakeMessage message;
    if (!message.ParseFromString(ToString(client_hello))) std::abort();
    client_ephemeral_ = ToKey(AsBytes(message.client_hello().ephemeral())).value();
    message.Clear();
    whatsapp::ServerHello& hello = *message.mutable_server_hello();
    state_.MixHash(client_ephemeral_);
    state_.MixHash(ephemeral_.public_key);
    hello.set_ephemeral(ToString(ephemeral_.public_key));
    state_.MixKey(Agree(ephemeral_.private_key, client_ephemeral_).value());
    hello.set_static_(ToString(state_.EncryptAndHash(static_key_.public_key)));
    state_.MixKey(Agree(static_key_.private_key, client_ephemeral_).value());
    hello.set_payload(ToString(state_.EncryptAndHash(chain)));
    return ToBytes(message.SerializeAsString());
  }

  // The client's noise key, its payload, and the transport as the server sees it.
  struct Client {
    Bytes noise_key;
    Bytes payload;
    NoiseTransport transport;
  };
  Client ReadFinish(ByteView client_finish) {
    whatsapp::HandshakeMessage message;
    if (!message.ParseFromString(ToString(client_finish))) std::abort();
    Bytes noise_key = state_.DecryptAndHash(AsBytes(message.client_finish().static_())).value();
    state_.MixKey(Agree(ephemeral_.private_key, ToKey(noise_key).value()).value());
    Bytes payload = state_.DecryptAndHash(AsBytes(message.client_finish().payload())).value();
    const auto [from_client, to_client] = state_.Split();
    return {std::move(noise_key), std::move(payload), NoiseTransport(to_client, from_client)};
  }

 private:
  KeyPair static_key_;
  KeyPair ephemeral_;
  Key32 client_ephemeral_{};
  NoiseSymmetricState state_{"Noise_XX_25519_AESGCM_SHA256"};
};

}  // namespace medidesk::gateway::wa::testing
