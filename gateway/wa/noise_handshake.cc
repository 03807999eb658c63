#include "gateway/wa/noise_handshake.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "gateway/wa/frame_codec.h"
#include "whatsapp/handshake.pb.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::string_view kProtocolName = "Noise_XX_25519_AESGCM_SHA256";
constexpr std::size_t kKeySize = 32;  // bytes

absl::Status Failed(absl::StatusCode code, std::string_view what) {
  return Error(code, fmt::format("noise handshake: {}", what));
}

// `error` with the step at which it came.
absl::Status During(std::string_view step, const absl::Status& error) {
  return Failed(error.code(), fmt::format("{}: {}", step, Text(error)));
}

}  // namespace

NoiseHandshake::NoiseHandshake(const KeyPair& ephemeral, const KeyPair& noise_key)
    : ephemeral_(ephemeral), noise_key_(noise_key), state_(kProtocolName) {
  state_.MixHash(kConnectionHeader);
  state_.MixHash(ephemeral_.public_key);
}

NoiseHandshake::~NoiseHandshake() {
  OPENSSL_cleanse(ephemeral_.private_key.data(), ephemeral_.private_key.size());
  OPENSSL_cleanse(noise_key_.private_key.data(), noise_key_.private_key.size());
}

Bytes NoiseHandshake::ClientHello() const {
  whatsapp::HandshakeMessage message;
  message.mutable_client_hello()->set_ephemeral(ToString(ephemeral_.public_key));
  return ToBytes(message.SerializeAsString());
}

absl::StatusOr<NoiseHandshake::Result> NoiseHandshake::ReadServerHello(ByteView server_hello, ByteView client_payload,
                                                                       const NoiseTrust& trust) {
  if (std::exchange(done_, true)) return Failed(absl::StatusCode::kFailedPrecondition, "a second ServerHello");
  whatsapp::HandshakeMessage message;
  if (!message.ParseFromArray(server_hello.data(), static_cast<int>(server_hello.size())) ||
      !message.has_server_hello()) {
    return Failed(absl::StatusCode::kInvalidArgument,
                  fmt::format("{} bytes that are no ServerHello", server_hello.size()));
  }
  const whatsapp::ServerHello& hello = message.server_hello();
  if (hello.ephemeral().size() != kKeySize || hello.static_().size() != kKeySize + kNoiseTagSize ||
      hello.payload().size() <= kNoiseTagSize) {
    return Failed(absl::StatusCode::kInvalidArgument,
                  fmt::format("a ServerHello with fields of {}, {} and {} bytes, expected 32, 48 and above 16",
                              hello.ephemeral().size(), hello.static_().size(), hello.payload().size()));
  }
  // Agrees on a secret and makes the next key from it.
  const auto mix = [this](const KeyPair& mine, const Key32& theirs, std::string_view step) -> absl::Status {
    auto secret = Agree(mine.private_key, theirs);
    if (!secret.ok()) return During(step, secret.status());
    state_.MixKey(*secret);
    OPENSSL_cleanse(secret->data(), secret->size());
    return absl::OkStatus();
  };

  MD_ASSIGN_OR_RETURN(const Key32 server_ephemeral, ToKey(AsBytes(hello.ephemeral())));
  state_.MixHash(server_ephemeral);
  MD_RETURN_IF_ERROR(mix(ephemeral_, server_ephemeral, "the server's ephemeral key"));

  auto static_key = state_.DecryptAndHash(AsBytes(hello.static_()));
  if (!static_key.ok()) return During("the server's static key", static_key.status());
  MD_ASSIGN_OR_RETURN(const Key32 server_static, ToKey(*static_key));
  MD_RETURN_IF_ERROR(mix(ephemeral_, server_static, "the server's static key"));

  auto chain = state_.DecryptAndHash(AsBytes(hello.payload()));
  if (!chain.ok()) return During("the certificate chain", chain.status());
  MD_ASSIGN_OR_RETURN(NoiseVerdict verdict, VerifyNoiseCertificate(*chain, server_static, trust));

  whatsapp::HandshakeMessage answer;
  whatsapp::ClientFinish& finish = *answer.mutable_client_finish();
  finish.set_static_(ToString(state_.EncryptAndHash(noise_key_.public_key)));
  MD_RETURN_IF_ERROR(mix(noise_key_, server_ephemeral, "the server's ephemeral key"));
  finish.set_payload(ToString(state_.EncryptAndHash(client_payload)));

  auto [write_key, read_key] = state_.Split();
  Result result{.client_finish = ToBytes(answer.SerializeAsString()),
                .transport = NoiseTransport(write_key, read_key),
                .dates = std::move(verdict.dates)};
  OPENSSL_cleanse(write_key.data(), write_key.size());
  OPENSSL_cleanse(read_key.data(), read_key.size());
  return result;
}

}  // namespace medidesk::gateway::wa
