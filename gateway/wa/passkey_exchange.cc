#include "gateway/wa/passkey_exchange.h"

#include "base/status.h"
#include "gateway/wa/aes256.h"
#include "gateway/wa/key_derivation.h"
#include "gateway/wa/pairing_code.h"
#include "whatsapp/passkey.pb.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::string_view kHandoffInfo = "shortcake-passkey-handoff-v1";
constexpr std::string_view kKeyInfo = "Pairing Information Encryption Key";

Key32 KeyOf(const Bytes& derived) { return ToKey(derived).value(); }

}  // namespace

Key32 PasskeyHandoffKey(const Key32& adv_secret) {
  return KeyOf(HkdfSha256(adv_secret, {}, AsBytes(kHandoffInfo), 32));
}

Key32 PasskeyHandoffProof(const Key32& handoff_key, ByteView prologue) { return HmacSha256(handoff_key, prologue); }

Bytes PasskeyPrologue(const Key32& ephemeral_public, int device_type, std::string_view ref, const Key32& nonce) {
  whatsapp::CompanionEphemeralIdentity identity;
  identity.set_public_key(ToString(ephemeral_public));
  identity.set_device_type(device_type);
  identity.set_ref(std::string(ref));
  whatsapp::ProloguePayload prologue;
  prologue.set_companion_ephemeral_identity(identity.SerializeAsString());
  prologue.mutable_commitment()->set_hash(
      ToString(Sha256(Join({AsBytes(prologue.companion_ephemeral_identity()), nonce}))));
  return ToBytes(prologue.SerializeAsString());
}

absl::StatusOr<PrimaryEphemeral> ParsePrimaryEphemeral(ByteView message) {
  whatsapp::PrimaryEphemeralIdentity identity;
  if (!identity.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return Error(absl::StatusCode::kInvalidArgument, "the phone's part of a passkey link is not readable");
  }
  PrimaryEphemeral primary;
  MD_ASSIGN_OR_RETURN(primary.public_key, ToKey(AsBytes(identity.public_key())));
  MD_ASSIGN_OR_RETURN(primary.nonce, ToKey(AsBytes(identity.nonce())));
  return primary;
}

absl::StatusOr<PasskeyAgreement> AgreeOnPasskey(const KeyPair& ephemeral, const Key32& nonce,
                                                const PrimaryEphemeral& primary, int device_type,
                                                std::string_view ref) {
  MD_ASSIGN_OR_RETURN(const Key32 shared, Agree(ephemeral.private_key, primary.public_key));
  const Digest32 digest = Sha256(Join({nonce, primary.public_key}));
  std::array<std::uint8_t, 5> code{};
  for (std::size_t i = 0; i < code.size(); ++i) code[i] = primary.nonce[i] ^ digest[i];
  const std::string salt =
      std::string("Companion Pairing ").append(std::to_string(device_type)).append(" with ref ").append(ref);
  return PasskeyAgreement{.key = KeyOf(HkdfSha256(shared, AsBytes(salt), AsBytes(kKeyInfo), 32)),
                          .code = EncodeCode(code)};
}

Bytes PasskeyPairingRequest(const Key32& key, const Key32& noise_public, const Key32& identity_public,
                            const Key32& adv_secret, const Entropy& entropy) {
  whatsapp::PairingRequest request;
  request.set_companion_public_key(ToString(noise_public));
  request.set_companion_identity_key(ToString(identity_public));
  request.set_adv_secret(ToString(adv_secret));
  const auto nonce = RandomArray<12>(entropy);
  whatsapp::EncryptedPairingRequest encrypted;
  encrypted.set_encrypted_payload(ToString(SealGcm(key, nonce, AsBytes(request.SerializeAsString()))));
  encrypted.set_iv(ToString(nonce));
  return ToBytes(encrypted.SerializeAsString());
}

}  // namespace medidesk::gateway::wa
