#include "tests/sim/whatsapp/passkey.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "tests/sim/whatsapp/crypto.h"
#include "tests/sim/whatsapp/wire.pb.h"

namespace medidesk::whatsapp_sim {
namespace {

namespace json = boost::json;

constexpr std::string_view kRpId = "whatsapp.com", kOrigin = "https://web.whatsapp.com";
constexpr std::string_view kAlphabet = "123456789ABCDEFGHJKLMNPQRSTVWXYZ";
constexpr std::uint8_t kPresentAndVerified = 0x05;  // flags of authenticatorData

absl::Status Bad(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }

std::string Base64Url(View bytes) {
  std::string text = Base64(bytes);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.erase(std::find(text.begin(), text.end(), '='), text.end());
  return text;
}

std::optional<Bytes> FromBase64Url(std::string_view text) {
  if (text.find_first_of("+/=") != std::string_view::npos) return std::nullopt;
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '-', '+');
  std::replace(plain.begin(), plain.end(), '_', '/');
  plain.append((4 - plain.size() % 4) % 4, '=');
  return FromBase64(plain);
}

absl::StatusOr<json::object> ParseObject(std::string_view text, std::string_view what) {
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) return Bad(fmt::format("{} is no JSON object", what));
  return std::move(value.get_object());
}

// Empty when absent or no string.
std::string_view TextField(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

Bytes SignedBytes(View authenticator_data, View client_data) {
  return Join({authenticator_data, Sha256({client_data})});
}

// The base32 of 5 bytes, "XXXX-XXXX".
std::string ShownCode(View bytes) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < 5; ++i) bits = bits << 8 | bytes[i];
  std::string code;
  for (int shift = 35; shift >= 0; shift -= 5) {
    if (shift == 15) code.push_back('-');
    code.push_back(kAlphabet[(bits >> shift) & 31]);
  }
  return code;
}

}  // namespace

struct PasskeyCredential::KeyHolder {
  KeyHolder() : key(EVP_EC_gen("P-256")) {
    if (key == nullptr) std::abort();
  }
  ~KeyHolder() { EVP_PKEY_free(key); }
  KeyHolder(const KeyHolder&) = delete;
  KeyHolder& operator=(const KeyHolder&) = delete;
  EVP_PKEY* key;
};

PasskeyCredential::PasskeyCredential() : key_(std::make_unique<KeyHolder>()), id_(RandomBytes(20)) {}
PasskeyCredential::~PasskeyCredential() = default;
PasskeyCredential::PasskeyCredential(PasskeyCredential&&) noexcept = default;
PasskeyCredential& PasskeyCredential::operator=(PasskeyCredential&&) noexcept = default;

absl::StatusOr<std::string> PasskeyCredential::Assert(std::string_view options_json) const {
  MD_ASSIGN_OR_RETURN(const json::object options, ParseObject(options_json, "the request options"));
  if (TextField(options, "rpId") != kRpId) return Bad("the request options are not for whatsapp.com");
  const std::string client_data =
      json::serialize(json::object{{"type", "webauthn.get"},
                                   {"challenge", json::string(TextField(options, "challenge"))},
                                   {"origin", json::string(kOrigin)},
                                   {"crossOrigin", false}});
  const std::uint8_t rest[] = {kPresentAndVerified, 0, 0, 0, 0};  // flags, counter
  const Bytes authenticator_data = Join({Sha256({ViewOf(kRpId)}), rest});
  const Bytes message = SignedBytes(authenticator_data, ViewOf(client_data));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  Bytes signature(128);
  std::size_t size = signature.size();
  if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_->key) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    std::abort();
  }
  signature.resize(size);
  const std::string id = Base64Url(id_);
  return json::serialize(json::object{{"id", id},
                                      {"rawId", id},
                                      {"type", "public-key"},
                                      {"response", json::object{{"clientDataJSON", Base64Url(ViewOf(client_data))},
                                                                {"authenticatorData", Base64Url(authenticator_data)},
                                                                {"signature", Base64Url(signature)},
                                                                {"userHandle", nullptr}}}});
}

absl::Status PasskeyCredential::Check(View credential_id, std::string_view assertion_json,
                                      std::string_view challenge) const {
  if (!SameBytes(credential_id, id_)) return Bad("credential_id is not the account's passkey");
  MD_ASSIGN_OR_RETURN(const json::object assertion, ParseObject(assertion_json, "webauthn_assertion"));
  if (TextField(assertion, "rawId") != Base64Url(id_) || TextField(assertion, "id") != Base64Url(id_)) {
    return Bad("webauthn_assertion.id is not the account's passkey");
  }
  const json::value* response = assertion.if_contains("response");
  if (response == nullptr || !response->is_object()) return Bad("webauthn_assertion.response is missing");
  const json::object& fields = response->get_object();
  if (!fields.contains("userHandle")) return Bad("webauthn_assertion.response.userHandle is missing");
  const auto client_data = FromBase64Url(TextField(fields, "clientDataJSON"));
  const auto authenticator_data = FromBase64Url(TextField(fields, "authenticatorData"));
  const auto signature = FromBase64Url(TextField(fields, "signature"));
  if (!client_data || !authenticator_data || !signature) {
    return Bad("webauthn_assertion.response is not base64url without padding");
  }
  MD_ASSIGN_OR_RETURN(const json::object client, ParseObject(TextOf(*client_data), "clientDataJSON"));
  if (TextField(client, "type") != "webauthn.get" || TextField(client, "challenge") != challenge) {
    return Bad("clientDataJSON answers another challenge");
  }
  const Bytes message = SignedBytes(*authenticator_data, *client_data);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_->key) != 1 ||
      EVP_DigestVerify(context.get(), signature->data(), signature->size(), message.data(), message.size()) != 1) {
    return Bad("the passkey's signature does not verify");
  }
  return absl::OkStatus();
}

PasskeyPairing::PasskeyPairing(const Key& adv_secret, std::string ref)
    : PasskeyPairing(adv_secret, std::move(ref), NewKeyPair(), *KeyFrom(RandomBytes(32))) {}

PasskeyPairing::PasskeyPairing(const Key& adv_secret, std::string ref, const KeyPair& ephemeral, const Key& nonce)
    : adv_secret_(adv_secret), ref_(std::move(ref)), ephemeral_(ephemeral), nonce_(nonce) {
  challenge_ = Base64Url(RandomBytes(32));
  options_ = json::serialize(json::object{{"challenge", challenge_},
                                          {"timeout", 600'000},
                                          {"rpId", json::string(kRpId)},
                                          {"allowCredentials", json::array()},
                                          {"userVerification", "required"},
                                          {"extensions", json::object{{"uvm", true}}}});
}

absl::Status PasskeyPairing::OnPrologue(const PasskeyCredential& credential, View credential_id,
                                        std::string_view assertion, View payload, std::optional<View> handoff_proof) {
  if (!commitment_.empty()) return Bad("the prologue came twice");
  MD_RETURN_IF_ERROR(credential.Check(credential_id, assertion, challenge_));
  ProloguePayload prologue;
  CompanionEphemeralIdentity companion;
  if (!prologue.ParseFromArray(payload.data(), static_cast<int>(payload.size())) ||
      !companion.ParseFromString(prologue.companion_ephemeral_identity())) {
    return Bad("prologue_payload is no ProloguePayload");
  }
  if (companion.ref() != ref_) return Bad("prologue_payload names another ref");
  const auto key = KeyFrom(ViewOf(companion.public_key()));
  if (!key || prologue.commitment().hash().size() != 32) return Bad("prologue_payload: expected 32 bytes each");
  if (handoff_proof) {
    const Bytes mac_key = Hkdf(adv_secret_, {}, "shortcake-passkey-handoff-v1", 32);
    if (!SameBytes(HmacSha256(mac_key, payload), *handoff_proof)) return Bad("pairing_handoff_proof does not verify");
  }
  const View identity = ViewOf(prologue.companion_ephemeral_identity()), hash = ViewOf(prologue.commitment().hash());
  companion_identity_.assign(identity.begin(), identity.end());
  commitment_.assign(hash.begin(), hash.end());
  companion_key_ = *key;
  device_type_ = companion.device_type();
  return absl::OkStatus();
}

Bytes PasskeyPairing::PrimaryIdentity() const {
  PrimaryEphemeralIdentity identity;
  identity.set_public_key(std::string(TextOf(ephemeral_.public_key)));
  identity.set_nonce(std::string(TextOf(nonce_)));
  Bytes bytes(identity.ByteSizeLong());
  identity.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

absl::StatusOr<std::string> PasskeyPairing::OnNonce(View nonce) {
  if (commitment_.empty()) return Bad("companion_nonce came before the prologue");
  if (nonce.size() != 32 || !SameBytes(Sha256({companion_identity_, nonce}), commitment_)) {
    return Bad("companion_nonce does not open the commitment");
  }
  opened_ = true;
  Key code = Sha256({nonce, ephemeral_.public_key});
  for (std::size_t i = 0; i < code.size(); ++i) code[i] ^= nonce_[i];
  return ShownCode(code);
}

absl::StatusOr<PasskeyPairing::Result> PasskeyPairing::OnRequest(View encrypted_request) {
  if (!opened_) return Bad("encrypted_pairing_request came before companion_nonce");
  EncryptedPairingRequest sealed;
  if (!sealed.ParseFromArray(encrypted_request.data(), static_cast<int>(encrypted_request.size()))) {
    return Bad("encrypted_pairing_request is no EncryptedPairingRequest");
  }
  MD_ASSIGN_OR_RETURN(const Key shared, Agree(ephemeral_.private_key, companion_key_));
  const std::string salt = fmt::format("Companion Pairing {} with ref {}", device_type_, ref_);
  const Key key = *KeyFrom(Hkdf(shared, ViewOf(salt), "Pairing Information Encryption Key", 32));
  const auto opened = GcmOpen(key, ViewOf(sealed.iv()), {}, ViewOf(sealed.encrypted_payload()));
  PairingRequest request;
  if (!opened || !request.ParseFromArray(opened->data(), static_cast<int>(opened->size()))) {
    return Bad("encrypted_pairing_request does not open");
  }
  const auto noise_key = KeyFrom(ViewOf(request.companion_public_key()));
  const auto identity = KeyFrom(ViewOf(request.companion_identity_key()));
  const auto adv_secret = KeyFrom(ViewOf(request.adv_secret()));
  if (!noise_key || !identity || !adv_secret) return Bad("encrypted_pairing_request: expected keys of 32 bytes");
  return Result{.noise_key = *noise_key, .identity = *identity, .adv_secret = *adv_secret};
}

}  // namespace medidesk::whatsapp_sim
