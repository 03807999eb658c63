#include "tests/sim/whatsapp/noise_responder.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "tests/sim/whatsapp/wire.pb.h"

namespace medidesk::whatsapp_sim {
namespace {

constexpr std::string_view kName("Noise_XX_25519_AESGCM_SHA256\0\0\0\0", 32);
constexpr std::uint8_t kPrologue[] = {0x57, 0x41, 0x06, 0x03};

absl::Status Bad(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }

absl::StatusOr<HandshakeMessage> Parse(View frame) {
  HandshakeMessage message;
  if (!message.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) {
    return Bad("the handshake frame is no protobuf message");
  }
  return message;
}

std::pair<Key, Key> Hkdf2(const Key& chaining_key, View input) {
  const Bytes out = Hkdf(input, chaining_key, "", 64);
  return {*KeyFrom(View(out).first(32)), *KeyFrom(View(out).subspan(32))};
}

}  // namespace

NoiseResponder::NoiseResponder(Keys keys) : keys_(std::move(keys)), hash_(*KeyFrom(ViewOf(kName))) {
  chaining_key_ = key_ = hash_;
  MixHash(kPrologue);
}

void NoiseResponder::MixHash(View bytes) { hash_ = Sha256({hash_, bytes}); }

absl::Status NoiseResponder::MixKey(const Key& private_key, const Key& public_key) {
  MD_ASSIGN_OR_RETURN(const Key shared, Agree(private_key, public_key));
  std::tie(chaining_key_, key_) = Hkdf2(chaining_key_, shared);
  counter_ = 0;
  return absl::OkStatus();
}

Bytes NoiseResponder::NextIv() {
  Bytes iv(12);
  iv[11] = static_cast<std::uint8_t>(counter_++);  // two at most before a MixKey
  return iv;
}

Bytes NoiseResponder::Encrypt(View plain) {
  Bytes sealed = GcmSeal(key_, NextIv(), hash_, plain);
  MixHash(sealed);
  return sealed;
}

std::optional<Bytes> NoiseResponder::Decrypt(View sealed) {
  auto plain = GcmOpen(key_, NextIv(), hash_, sealed);
  MixHash(sealed);
  return plain;
}

absl::StatusOr<Bytes> NoiseResponder::OnClientHello(View frame) {
  MD_ASSIGN_OR_RETURN(const HandshakeMessage message, Parse(frame));
  const auto client = KeyFrom(ViewOf(message.client_hello().ephemeral()));
  if (!client) return Bad("ClientHello.ephemeral: expected 32 bytes");
  MixHash(*client);
  MixHash(keys_.ephemeral.public_key);
  MD_RETURN_IF_ERROR(MixKey(keys_.ephemeral.private_key, *client));
  HandshakeMessage answer;
  ServerHello& hello = *answer.mutable_server_hello();
  hello.set_ephemeral(keys_.ephemeral.public_key.data(), keys_.ephemeral.public_key.size());
  hello.set_static_(std::string(TextOf(Encrypt(keys_.server.public_key))));
  MD_RETURN_IF_ERROR(MixKey(keys_.server.private_key, *client));
  hello.set_payload(std::string(TextOf(Encrypt(keys_.chain))));
  Bytes bytes(answer.ByteSizeLong());
  answer.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

absl::StatusOr<NoiseResponder::ClientFinished> NoiseResponder::OnClientFinish(View frame) {
  MD_ASSIGN_OR_RETURN(const HandshakeMessage message, Parse(frame));
  const auto opened = Decrypt(ViewOf(message.client_finish().static_()));
  const auto noise_key = opened ? KeyFrom(*opened) : std::nullopt;
  if (!noise_key) return Bad("ClientFinish.static: it does not open to a key of 32 bytes");
  MD_RETURN_IF_ERROR(MixKey(keys_.ephemeral.private_key, *noise_key));
  auto payload = Decrypt(ViewOf(message.client_finish().payload()));
  if (!payload) return Bad("ClientFinish.payload: it does not authenticate");
  return ClientFinished{.noise_key = *noise_key, .payload = *std::move(payload)};
}

NoiseTransport NoiseResponder::Split() const {
  const auto [from_client, to_client] = Hkdf2(chaining_key_, {});
  return {.from_client = GcmStream(from_client), .to_client = GcmStream(to_client)};
}

}  // namespace medidesk::whatsapp_sim
