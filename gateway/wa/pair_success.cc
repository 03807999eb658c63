#include "gateway/wa/pair_success.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/status.h"
#include "gateway/wa/key_derivation.h"
#include "gateway/wa/signal_address.h"
#include "whatsapp/adv.pb.h"

namespace medidesk::gateway::wa {
namespace {

constexpr int kHosted = 1;
constexpr std::uint8_t kAccountPrefix[] = {6, 0};
constexpr std::uint8_t kHostedPrefix[] = {6, 5};
constexpr std::uint8_t kDevicePrefix[] = {6, 1};

template <class Message>
std::optional<Message> ParseAs(ByteView bytes) {
  Message message;
  if (bytes.empty() || !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  return message;
}

bool IsPhone(const Jid& jid) {
  return jid.server == kUserServer && !jid.user.empty() && jid.user.size() <= 15 &&
         std::all_of(jid.user.begin(), jid.user.end(), [](char c) { return c >= '0' && c <= '9'; });
}

PairRefused Refuse(const Node& iq, PairRefused::Reason reason) {
  switch (reason) {
    case PairRefused::Reason::kBadMac:
      return {reason, RefusePairSuccess(iq, 401, "hmac-mismatch")};
    case PairRefused::Reason::kBadSignature:
      return {reason, RefusePairSuccess(iq, 401, "signature-mismatch")};
    case PairRefused::Reason::kMalformed:
    case PairRefused::Reason::kOtherPhone:
      break;
  }
  return {reason, RefusePairSuccess(iq, 500, "internal-error")};
}

Node Reply(const Node& iq, std::uint32_t key_index, whatsapp::AdvSignedDeviceIdentity identity) {
  identity.clear_account_signature_key();
  Node device{"device-identity", {{"key-index", std::to_string(key_index)}}, ToBytes(identity.SerializeAsString())};
  Node sign{"pair-device-sign", {}, Nodes{std::move(device)}};
  return {"iq", {{"to", Jid::Server()}, {"type", "result"}, {"id", iq.Attr("id")}}, Nodes{std::move(sign)}};
}

std::string NameOf(const Node* node) { return node == nullptr ? std::string() : std::string(node->Attr("name")); }

}  // namespace

Node RefusePairSuccess(const Node& iq, int code, std::string_view text) {
  Node error{"error", {{"code", std::to_string(code)}, {"text", text}}, {}};
  return {"iq", {{"to", Jid::Server()}, {"type", "error"}, {"id", iq.Attr("id")}}, Nodes{std::move(error)}};
}

std::variant<PairAccepted, PairRefused> CheckPairSuccess(const Node& iq, const DeviceCredentials& credentials,
                                                         std::string_view expected_phone, const Entropy& entropy) {
  using Reason = PairRefused::Reason;
  const Node* pair = iq.Child("pair-success");
  const Node* identity_node = pair == nullptr ? nullptr : pair->Child("device-identity");
  const Node* device = pair == nullptr ? nullptr : pair->Child("device");
  if (identity_node == nullptr || device == nullptr) return Refuse(iq, Reason::kMalformed);

  const auto container = ParseAs<whatsapp::AdvSignedDeviceIdentityHmac>(identity_node->ContentBytes());
  if (!container) return Refuse(iq, Reason::kMalformed);
  const ByteView hosted_mark = container->account_type() == kHosted ? ByteView(kHostedPrefix) : ByteView();
  const Digest32 mac = HmacSha256(credentials.adv_secret, Join({hosted_mark, AsBytes(container->details())}));
  if (!SameSecret(mac, AsBytes(container->hmac()))) return Refuse(iq, Reason::kBadMac);

  auto identity = ParseAs<whatsapp::AdvSignedDeviceIdentity>(AsBytes(container->details()));
  if (!identity) return Refuse(iq, Reason::kMalformed);
  const auto details = ParseAs<whatsapp::AdvDeviceIdentity>(AsBytes(identity->details()));
  const auto account_key = ToKey(AsBytes(identity->account_signature_key()));
  if (!details || !account_key.ok()) return Refuse(iq, Reason::kMalformed);
  const ByteView account_prefix =
      details->device_type() == kHosted ? ByteView(kHostedPrefix) : ByteView(kAccountPrefix);
  const Key32& own_identity = credentials.identity.public_key;
  if (!Verify(*account_key, Join({account_prefix, AsBytes(identity->details()), own_identity}),
              AsBytes(identity->account_signature()))) {
    return Refuse(iq, Reason::kBadSignature);
  }

  const auto jid = device->AttrJid("jid");
  const auto lid = device->AttrJid("lid");
  if (!jid || !IsPhone(*jid) || jid->device == 0 || (lid && (!lid->IsLid() || lid->user.empty()))) {
    return Refuse(iq, Reason::kMalformed);
  }
  if (!expected_phone.empty() && jid->user != expected_phone) return Refuse(iq, Reason::kOtherPhone);

  const Signature signature =
      Sign(credentials.identity.private_key,
           Join({kDevicePrefix, AsBytes(identity->details()), own_identity, *account_key}), entropy);
  identity->set_device_signature(ToString(signature));

  PairAccepted accepted;
  accepted.credentials = credentials;
  accepted.credentials.account = LinkedAccount{.signed_identity = ToBytes(identity->SerializeAsString()),
                                               .jid = *jid,
                                               .lid = lid.value_or(Jid{}),
                                               .platform = NameOf(pair->Child("platform")),
                                               .business_name = NameOf(pair->Child("biz"))};
  const Jid phone = lid ? lid->WithoutDevice() : jid->WithoutDevice();
  const TypedKey32 typed = TypedKey(*account_key);
  accepted.primary_identity = {.name = {.kind = RecordKind::kIdentity, .key = SignalAddressKey(phone)},
                               .value = Bytes(typed.begin(), typed.end())};
  accepted.reply = Reply(iq, details->key_index(), std::move(*identity));
  return accepted;
}

}  // namespace medidesk::gateway::wa
