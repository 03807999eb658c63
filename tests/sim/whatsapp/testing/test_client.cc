#include "tests/sim/whatsapp/testing/test_client.h"

#include <fmt/format.h>

#include <utility>

#include "gateway/wa/node_codec.h"
#include "tests/sim/whatsapp/wire.pb.h"

namespace medidesk::whatsapp_sim::testing {

namespace wa = gateway::wa;

namespace {

constexpr std::uint8_t kKeyType[] = {5};
constexpr std::uint8_t kAccount[] = {6, 0}, kHostedAccount[] = {6, 5}, kDevice[] = {6, 1};

std::string Str(View bytes) { return std::string(TextOf(bytes)); }

Bytes Serialized(const google::protobuf::MessageLite& message) {
  Bytes bytes(message.ByteSizeLong());
  message.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

Bytes Framed(View payload) {
  Bytes frame;
  if (!wa::AppendFrame(payload, frame).ok()) std::abort();
  return frame;
}

}  // namespace

void TestClient::MixKey(const Key& private_key, const Key& public_key) {
  const Bytes out = Hkdf(Agree(private_key, public_key).value(), chaining_key_, "", 64);
  chaining_key_ = *KeyFrom(View(out).first(32));
  key_ = *KeyFrom(View(out).subspan(32));
  counter_ = 0;
}

Bytes TestClient::Encrypt(View plain) {
  Bytes iv(12);
  iv[11] = counter_++;
  Bytes sealed = GcmSeal(key_, iv, hash_, plain);
  MixHash(sealed);
  return sealed;
}

std::optional<Bytes> TestClient::Decrypt(View sealed) {
  Bytes iv(12);
  iv[11] = counter_++;
  auto plain = GcmOpen(key_, iv, hash_, sealed);
  MixHash(sealed);
  return plain;
}

Bytes TestClient::Hello() {
  frames_ = wa::FrameDecoder();
  to_server_.reset();
  from_server_.reset();
  broken_ = false;
  ephemeral_ = NewKeyPair();
  hash_ = *KeyFrom(ViewOf(std::string_view("Noise_XX_25519_AESGCM_SHA256\0\0\0\0", 32)));
  chaining_key_ = key_ = hash_;
  MixHash(wa::kConnectionHeader);
  MixHash(ephemeral_.public_key);
  HandshakeMessage message;
  message.mutable_client_hello()->set_ephemeral(Str(ephemeral_.public_key));
  return Join({wa::ConnectionHeader(routing_info), Framed(Serialized(message))});
}

std::optional<Bytes> TestClient::Finish(View payload) {
  const auto frame = frames_.Next();
  HandshakeMessage hello;
  if (!frame.ok() || !*frame || !hello.ParseFromArray((**frame).data(), static_cast<int>((**frame).size()))) {
    return std::nullopt;
  }
  const auto theirs = KeyFrom(ViewOf(hello.server_hello().ephemeral()));
  if (!theirs) return std::nullopt;
  MixHash(*theirs);
  MixKey(ephemeral_.private_key, *theirs);
  const auto server_key = Decrypt(ViewOf(hello.server_hello().static_()));
  if (!server_key || server_key->size() != 32) return std::nullopt;
  server_key_ = *KeyFrom(*server_key);
  MixKey(ephemeral_.private_key, server_key_);
  auto chain = Decrypt(ViewOf(hello.server_hello().payload()));
  if (!chain) return std::nullopt;
  chain_ = *std::move(chain);
  HandshakeMessage message;
  ClientFinish& finish = *message.mutable_client_finish();
  finish.set_static_(Str(Encrypt(noise.public_key)));
  MixKey(noise.private_key, *theirs);
  finish.set_payload(Str(Encrypt(payload)));
  const Bytes keys = Hkdf({}, chaining_key_, "", 64);
  to_server_.emplace(*KeyFrom(View(keys).first(32)));
  from_server_.emplace(*KeyFrom(View(keys).subspan(32)));
  return Framed(Serialized(message));
}

std::optional<Bytes> TestClient::FinishAsNew() {
  const KeyPair pre_key = NewKeyPair();
  const Bytes signature = whatsapp_sim::Sign(identity.private_key, Join({kKeyType, pre_key.public_key}));
  DeviceProps props;
  props.set_os("Test");
  ClientPayload payload;
  payload.mutable_user_agent()->mutable_app_version()->set_tertiary(version);
  DevicePairingData& data = *payload.mutable_device_pairing_data();
  data.set_registration_id(std::string("\0\0\1\2", 4));
  data.set_key_type("\5");
  data.set_identity(Str(identity.public_key));
  data.set_signed_pre_key_id(std::string("\0\0\1", 3));
  data.set_signed_pre_key(Str(pre_key.public_key));
  data.set_signed_pre_key_signature(Str(signature));
  data.set_device_props(props.SerializeAsString());
  return Finish(Serialized(payload));
}

std::optional<Bytes> TestClient::FinishAsDevice(std::uint64_t username, std::uint32_t device, bool passive) {
  ClientPayload payload;
  payload.set_username(username);
  payload.set_device(device);
  payload.set_passive(passive);
  payload.mutable_user_agent()->mutable_app_version()->set_tertiary(version);
  return Finish(Serialized(payload));
}

std::optional<wa::Node> TestClient::Next() {
  const auto frame = frames_.Next();
  if (!frame.ok()) broken_ = true;
  if (!frame.ok() || !*frame) return std::nullopt;
  const auto plain = from_server_->Open(**frame);
  auto node = plain ? wa::DecodeNode(*plain) : Error(absl::StatusCode::kInvalidArgument, "does not decrypt");
  if (!node.ok()) broken_ = true;
  if (!node.ok()) return std::nullopt;
  return *std::move(node);
}

Bytes TestClient::Seal(const wa::Node& node) {
  Bytes sealed;
  to_server_->Seal(wa::EncodeNode(node).value(), sealed);
  return Framed(sealed);
}

std::string TestClient::Qr(std::string_view ref) const {
  return fmt::format("https://wa.me/settings/linked_devices#{},{},{},{},1", ref, Base64(noise.public_key),
                     Base64(identity.public_key), Base64(adv_secret));
}

std::optional<wa::Node> TestClient::Sign(const wa::Node& pair_success) const {
  const wa::Node* content = pair_success.Child("pair-success");
  const wa::Node* sealed = content == nullptr ? nullptr : content->Child("device-identity");
  AdvSignedDeviceIdentityHmac container;
  AdvSignedDeviceIdentity account;
  AdvDeviceIdentity details;
  if (sealed == nullptr || !container.ParseFromString(std::string(sealed->ContentText())) ||
      !account.ParseFromString(container.details()) || !details.ParseFromString(account.details())) {
    return std::nullopt;
  }
  const View hosted = container.account_type() == 1 ? View(kHostedAccount) : View();
  const Key mac = HmacSha256(adv_secret, Join({hosted, ViewOf(container.details())}));
  const auto account_key = KeyFrom(ViewOf(account.account_signature_key()));
  if (!account_key || !SameBytes(mac, ViewOf(container.hmac()))) return std::nullopt;
  const View prefix = details.device_type() == 1 ? View(kHostedAccount) : View(kAccount);
  if (!Verify(*account_key, Join({prefix, ViewOf(account.details()), identity.public_key}),
              ViewOf(account.account_signature()))) {
    return std::nullopt;
  }
  account.set_device_signature(Str(whatsapp_sim::Sign(
      identity.private_key, Join({kDevice, ViewOf(account.details()), identity.public_key, *account_key}))));
  account.clear_account_signature_key();
  wa::Node identity_node{
      "device-identity", {{"key-index", fmt::format("{}", details.key_index())}}, Serialized(account)};
  wa::Node sign{"pair-device-sign", {}, wa::Nodes{std::move(identity_node)}};
  return wa::Node{"iq",
                  {{"to", wa::Jid::Server()}, {"type", "result"}, {"id", pair_success.Attr("id")}},
                  wa::Nodes{std::move(sign)}};
}

}  // namespace medidesk::whatsapp_sim::testing
