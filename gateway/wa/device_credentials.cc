#include "gateway/wa/device_credentials.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "whatsapp/adv.pb.h"
#include "whatsapp/device_record.pb.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::uint32_t kVersion = 1;

absl::Status Broken(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, std::string("stored device credentials: ").append(what));
}

absl::StatusOr<KeyPair> Pair(const std::string& private_key) {
  MD_ASSIGN_OR_RETURN(const Key32 key, ToKey(AsBytes(private_key)));
  return KeyPair::Of(key);
}

}  // namespace

TypedKey32 TypedKey(const Key32& public_key) {
  TypedKey32 typed{kKeyType};
  std::copy(public_key.begin(), public_key.end(), typed.begin() + 1);
  return typed;
}

SignedPreKey SignedPreKey::Generate(std::uint32_t id, const KeyPair& identity, const Entropy& entropy) {
  SignedPreKey key{.id = id, .pair = KeyPair::Generate(entropy)};
  key.signature = Sign(identity.private_key, TypedKey(key.pair.public_key), entropy);
  return key;
}

DeviceCredentials DeviceCredentials::Generate(const Entropy& entropy) {
  DeviceCredentials credentials;
  credentials.noise = KeyPair::Generate(entropy);
  credentials.identity = KeyPair::Generate(entropy);
  credentials.registration_id = 1 + RandomBelow(entropy, kMaxRegistrationId);
  credentials.signed_pre_key = SignedPreKey::Generate(1, credentials.identity, entropy);
  credentials.adv_secret = RandomArray<32>(entropy);
  return credentials;
}

Bytes DeviceCredentials::Serialize() const {
  whatsapp::DeviceCredentialsRecord record;
  record.set_version(kVersion);
  record.set_noise_private(ToString(noise.private_key));
  record.set_identity_private(ToString(identity.private_key));
  record.set_registration_id(registration_id);
  record.set_signed_pre_key_id(signed_pre_key.id);
  record.set_signed_pre_key_private(ToString(signed_pre_key.pair.private_key));
  record.set_signed_pre_key_signature(ToString(signed_pre_key.signature));
  record.set_adv_secret(ToString(adv_secret));
  record.set_push_name(push_name);
  if (account) {
    record.set_account(ToString(account->signed_identity));
    record.set_jid(account->jid.ToString());
    if (!account->lid.user.empty()) record.set_lid(account->lid.ToString());
    record.set_platform(account->platform);
    record.set_business_name(account->business_name);
  }
  return ToBytes(record.SerializeAsString());
}

absl::StatusOr<DeviceCredentials> DeviceCredentials::Parse(ByteView bytes) {
  whatsapp::DeviceCredentialsRecord record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return Broken("not readable");
  if (record.version() != kVersion) return Broken("written by another version of MediDesk");
  DeviceCredentials credentials;
  MD_ASSIGN_OR_RETURN(credentials.noise, Pair(record.noise_private()));
  MD_ASSIGN_OR_RETURN(credentials.identity, Pair(record.identity_private()));
  MD_ASSIGN_OR_RETURN(credentials.signed_pre_key.pair, Pair(record.signed_pre_key_private()));
  MD_ASSIGN_OR_RETURN(credentials.adv_secret, ToKey(AsBytes(record.adv_secret())));
  credentials.registration_id = record.registration_id();
  credentials.signed_pre_key.id = record.signed_pre_key_id();
  const ByteView signature = AsBytes(record.signed_pre_key_signature());
  if (!Verify(credentials.identity.public_key, TypedKey(credentials.signed_pre_key.pair.public_key), signature)) {
    return Broken("the signed pre-key is not the identity's");
  }
  std::copy(signature.begin(), signature.end(), credentials.signed_pre_key.signature.begin());
  credentials.push_name = record.push_name();
  if (record.has_account()) {
    const auto jid = Jid::Parse(record.jid());
    if (!jid || jid->user.empty()) return Broken("a linked device without its address");
    LinkedAccount account{.signed_identity = ToBytes(record.account()),
                          .jid = *jid,
                          .lid = Jid::Parse(record.lid()).value_or(Jid{}),
                          .platform = record.platform(),
                          .business_name = record.business_name()};
    whatsapp::AdvSignedDeviceIdentity identity;
    if (!identity.ParseFromString(record.account()) || identity.account_signature_key().size() != 32 ||
        identity.device_signature().size() != 64) {
      return Broken("the account's record is not readable");
    }
    credentials.account = std::move(account);
  }
  return credentials;
}

}  // namespace medidesk::gateway::wa
