#include "tests/sim/whatsapp/phone.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "tests/sim/whatsapp/crypto.h"
#include "tests/sim/whatsapp/wire.pb.h"

namespace medidesk::whatsapp_sim {
namespace {

constexpr std::uint8_t kAccount[] = {6, 0}, kDevice[] = {6, 1}, kHostedAccount[] = {6, 5};
constexpr std::string_view kCodeAlphabet = "123456789ABCDEFGHJKLMNPQRSTVWXYZ";
constexpr int kCodeIterations = 2 << 16;
constexpr std::size_t kWrapped = 80, kBundle = 156;  // bytes
constexpr std::array<std::string_view, 9> kNames = {"none",
                                                    "hosted",
                                                    "bad_hmac",
                                                    "bad_account_signature",
                                                    "short_account_signature",
                                                    "wrong_account_key",
                                                    "other_companion",
                                                    "bad_details",
                                                    "garbage"};

absl::Status Bad(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }

Bytes Serialize(const google::protobuf::MessageLite& message) {
  Bytes bytes(message.ByteSizeLong());
  message.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

absl::StatusOr<std::string> NormalCode(std::string_view text) {
  std::string code;
  for (const char c : text) {
    if (c == '-') continue;
    code.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
  }
  if (code.size() != 8 || code.find_first_not_of(kCodeAlphabet) != std::string::npos) {
    return Bad("the code has 8 characters of 1-9 and A-Z without I, O and U");
  }
  return code;
}

}  // namespace

std::optional<AdvForgery> AdvForgeryFrom(std::string_view name) {
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<AdvForgery>(found - kNames.begin());
}

std::span<const std::string_view> AdvForgeryNames() { return kNames; }

absl::StatusOr<QrCode> ParseQr(std::string_view text) {
  if (const std::size_t hash = text.find('#'); hash != std::string_view::npos) text.remove_prefix(hash + 1);
  std::vector<std::string_view> fields;
  for (;;) {
    const std::size_t comma = text.find(',');
    fields.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos || fields.size() > 5) break;
    text.remove_prefix(comma + 1);
  }
  if (fields.size() < 4 || fields.size() > 5) return Bad("a QR has 4 or 5 fields");
  QrCode qr;
  qr.ref = fields[0];
  if (qr.ref.empty()) return Bad("the QR's ref is empty");
  Key* const keys[] = {&qr.noise_key, &qr.identity, &qr.adv_secret};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto bytes = FromBase64(fields[i + 1]);
    const auto key = bytes ? KeyFrom(*bytes) : std::nullopt;
    if (!key) return Bad("the QR's keys are 32 bytes in base64");
    *keys[i] = *key;
  }
  if (fields.size() == 5) qr.platform = fields[4];
  return qr;
}

Endorsement Phone::Endorse(const Key& companion_identity, View adv_secret, AdvForgery forgery, std::int64_t now) {
  const bool hosted = forgery == AdvForgery::kHosted;
  AdvDeviceIdentity identity;
  identity.set_raw_id(raw_id_);
  identity.set_timestamp(static_cast<std::uint64_t>(now));
  identity.set_key_index(++key_index_);
  identity.set_account_type(hosted ? 1 : 0);
  identity.set_device_type(hosted ? 1 : 0);
  Endorsement endorsement{.container = {}, .details = Serialize(identity), .key_index = key_index_};

  const Key companion = forgery == AdvForgery::kOtherCompanion ? NewKeyPair().public_key : companion_identity;
  const Key signer = forgery == AdvForgery::kWrongAccountKey ? NewKeyPair().private_key : identity_.private_key;
  AdvSignedDeviceIdentity signed_identity;
  signed_identity.set_details(std::string(TextOf(endorsement.details)));
  signed_identity.set_account_signature_key(std::string(TextOf(identity_.public_key)));
  signed_identity.set_account_signature(std::string(
      TextOf(Sign(signer, Join({hosted ? View(kHostedAccount) : View(kAccount), endorsement.details, companion})))));
  std::string& signature = *signed_identity.mutable_account_signature();
  if (forgery == AdvForgery::kBadAccountSignature) signature[7] = static_cast<char>(signature[7] ^ 1);
  if (forgery == AdvForgery::kShortAccountSignature) signature.pop_back();

  Bytes content = Serialize(signed_identity);
  if (forgery == AdvForgery::kBadDetails) content = RandomBytes(40);
  Key mac = HmacSha256(adv_secret, Join({hosted ? View(kHostedAccount) : View(), content}));
  if (forgery == AdvForgery::kBadHmac) mac[3] ^= 1;
  AdvSignedDeviceIdentityHmac container;
  container.set_details(std::string(TextOf(content)));
  container.set_hmac(std::string(TextOf(mac)));
  if (hosted) container.set_account_type(1);
  endorsement.container = forgery == AdvForgery::kGarbage ? RandomBytes(90) : Serialize(container);
  return endorsement;
}

absl::Status Phone::CheckReply(const Endorsement& endorsement, const Key& companion_identity, View reply) const {
  AdvSignedDeviceIdentity signed_identity;
  if (!signed_identity.ParseFromArray(reply.data(), static_cast<int>(reply.size()))) {
    return Bad("device-identity is no ADVSignedDeviceIdentity");
  }
  if (ViewOf(signed_identity.details()).size() != endorsement.details.size() ||
      !SameBytes(ViewOf(signed_identity.details()), endorsement.details)) {
    return Bad("device-identity.details are not the bytes that the phone signed");
  }
  if (signed_identity.has_account_signature_key()) return Bad("device-identity repeats accountSignatureKey");
  const Bytes message = Join({kDevice, endorsement.details, companion_identity, identity_.public_key});
  if (!Verify(companion_identity, message, ViewOf(signed_identity.device_signature()))) {
    return Bad("device-identity.deviceSignature does not verify");
  }
  return absl::OkStatus();
}

absl::StatusOr<CodeAnswer> Phone::AnswerCode(std::string_view text, View wrapped) {
  MD_ASSIGN_OR_RETURN(const std::string code, NormalCode(text));
  if (wrapped.size() != kWrapped) return Bad("the companion's wrapped ephemeral key has not 80 bytes");
  CodeAnswer answer{.ephemeral = NewKeyPair(), .companion_ephemeral = {}, .wrapped = {}};
  const Key theirs = Pbkdf2(code, wrapped.first(32), kCodeIterations);
  answer.companion_ephemeral = *KeyFrom(AesCtr(theirs, wrapped.subspan(32, 16), wrapped.subspan(48)));
  const Bytes salt = RandomBytes(32), iv = RandomBytes(16);
  const Key ours = Pbkdf2(code, salt, kCodeIterations);
  answer.wrapped = Join({salt, iv, AesCtr(ours, iv, answer.ephemeral.public_key)});
  return answer;
}

absl::StatusOr<Key> Phone::FinishCode(const CodeAnswer& answer, const Key& companion_identity, View bundle) const {
  if (bundle.size() != kBundle) return Bad("the key bundle has not 156 bytes");
  MD_ASSIGN_OR_RETURN(const Key shared, Agree(answer.ephemeral.private_key, answer.companion_ephemeral));
  const Key key = *KeyFrom(Hkdf(shared, bundle.first(32), "link_code_pairing_key_bundle_encryption_key", 32));
  const auto opened = GcmOpen(key, bundle.subspan(32, 12), {}, bundle.subspan(44));
  if (!opened) return Bad("the key bundle does not open: wrong code");
  const View plain(*opened);
  if (!SameBytes(plain.first(32), companion_identity)) return Bad("the key bundle names another companion identity");
  if (!SameBytes(plain.subspan(32, 32), identity_.public_key)) return Bad("the key bundle names another phone");
  MD_ASSIGN_OR_RETURN(const Key identities, Agree(identity_.private_key, companion_identity));
  return *KeyFrom(Hkdf(Join({shared, identities, plain.subspan(64)}), {}, "adv_secret", 32));
}

}  // namespace medidesk::whatsapp_sim
