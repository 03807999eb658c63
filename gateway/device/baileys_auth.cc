#include "gateway/device/baileys_auth.h"

#include <boost/json.hpp>

#include <algorithm>
#include <optional>
#include <string>

#include "base/status.h"
#include "gateway/wa/base64.h"
#include "gateway/wa/device_credentials.h"
#include "gateway/wa/device_settings.h"

namespace medidesk::gateway {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxIdentityField = 4096;  // bytes; two bytes hold its length

absl::Status Broken(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, std::string("creds.json: ").append(what));
}

const json::object* Child(const json::object& parent, std::string_view name) {
  const json::value* value = parent.if_contains({name.data(), name.size()});
  return value == nullptr ? nullptr : value->if_object();
}

std::string TextOf(const json::object& parent, std::string_view name) {
  const json::value* value = parent.if_contains({name.data(), name.size()});
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(text->c_str(), text->size());
}

std::optional<std::uint32_t> NumberOf(const json::object& parent, std::string_view name) {
  const json::value* value = parent.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0 || value->get_int64() > 0xffffff) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(value->get_int64());
}

// Bytes as its versions have written them: base64 text, {"type":"Buffer","data":"base64"},
// {"type":"Buffer","data":[1,2]}, or {"0":1,"1":2}. Empty when they are none of these.
wa::Bytes BytesOf(const json::object& parent, std::string_view name) {
  const json::value* value = parent.if_contains({name.data(), name.size()});
  if (value == nullptr) return {};
  const auto from_text = [](const json::string& text) {
    std::string url(text.c_str(), text.size());
    while (url.ends_with('=')) url.pop_back();
    std::replace(url.begin(), url.end(), '+', '-');
    std::replace(url.begin(), url.end(), '/', '_');
    return wa::FromBase64Url(url).value_or(wa::Bytes());
  };
  const auto octet = [](const json::value& number) -> int {
    return number.is_int64() && number.get_int64() >= 0 && number.get_int64() < 256 ? int(number.get_int64()) : -1;
  };
  wa::Bytes bytes;
  if (const json::string* text = value->if_string()) return from_text(*text);
  const json::object* object = value->if_object();
  if (object == nullptr) return {};
  if (const json::value* data = object->if_contains("data")) {
    if (const json::string* text = data->if_string()) return from_text(*text);
    const json::array* list = data->if_array();
    if (list == nullptr) return {};
    for (const json::value& number : *list) {
      if (octet(number) < 0) return {};
      bytes.push_back(static_cast<std::uint8_t>(octet(number)));
    }
    return bytes;
  }
  for (std::size_t i = 0; i < object->size(); ++i) {
    const json::value* number = object->if_contains(std::to_string(i));
    if (number == nullptr || octet(*number) < 0) return {};
    bytes.push_back(static_cast<std::uint8_t>(octet(*number)));
  }
  return bytes;
}

absl::StatusOr<wa::KeyPair> PairOf(const json::object* object, std::string_view what) {
  if (object == nullptr) return Broken(std::string(what) + " is missing");
  const wa::Bytes private_key = BytesOf(*object, "private"), public_key = BytesOf(*object, "public");
  const auto key = wa::ToKey(private_key);
  if (!key.ok()) return Broken(std::string(what) + " is no key pair");
  const wa::KeyPair pair = wa::KeyPair::Of(*key);
  const wa::ByteView given = public_key.size() == 33 ? wa::ByteView(public_key).subspan(1) : wa::ByteView(public_key);
  if (!std::equal(given.begin(), given.end(), pair.public_key.begin(), pair.public_key.end())) {
    return Broken(std::string(what) + " has another public key");
  }
  return pair;
}

absl::StatusOr<wa::LinkedAccount> AccountOf(const json::object& creds) {
  const json::object* me = Child(creds, "me");
  const json::object* account = Child(creds, "account");
  if (me == nullptr || account == nullptr) {
    return Error(absl::StatusCode::kFailedPrecondition, "this auth state was never linked: link the number instead");
  }
  const auto jid = wa::Jid::Parse(TextOf(*me, "id"));
  if (!jid || jid->user.empty()) return Broken("me.id is no WhatsApp address");
  // AdvSignedDeviceIdentity: four fields of bytes, 1 to 4.
  wa::Bytes identity;
  std::uint8_t field = 0;
  for (const char* name : {"details", "accountSignatureKey", "accountSignature", "deviceSignature"}) {
    const wa::Bytes value = BytesOf(*account, name);
    if (value.empty() || value.size() > kMaxIdentityField) return Broken("the account's signatures are missing");
    identity.push_back(static_cast<std::uint8_t>(++field << 3 | 2));
    if (value.size() >= 128) identity.push_back(static_cast<std::uint8_t>(value.size() & 127) | 128);
    identity.push_back(static_cast<std::uint8_t>(value.size() < 128 ? value.size() : value.size() >> 7));
    identity.insert(identity.end(), value.begin(), value.end());
  }
  return wa::LinkedAccount{.signed_identity = std::move(identity),
                           .jid = *jid,
                           .lid = wa::Jid::Parse(TextOf(*me, "lid")).value_or(wa::Jid{}),
                           .platform = TextOf(creds, "platform"),
                           .business_name = {}};
}

}  // namespace

absl::StatusOr<DeviceBackup> ReadBaileysCredentials(std::string_view text) {
  if (text.size() > kMaxBaileysBytes) return Broken("too large");
  boost::json::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error);
  const json::object* creds = error ? nullptr : value.if_object();
  if (creds == nullptr) return Broken("not JSON; copy it while the old bot is stopped");

  wa::DeviceCredentials device;
  MD_ASSIGN_OR_RETURN(device.noise, PairOf(Child(*creds, "noiseKey"), "noiseKey"));
  MD_ASSIGN_OR_RETURN(device.identity, PairOf(Child(*creds, "signedIdentityKey"), "signedIdentityKey"));
  const json::object* signed_key = Child(*creds, "signedPreKey");
  if (signed_key == nullptr) return Broken("signedPreKey is missing");
  MD_ASSIGN_OR_RETURN(device.signed_pre_key.pair, PairOf(Child(*signed_key, "keyPair"), "signedPreKey"));
  const wa::Bytes signature = BytesOf(*signed_key, "signature");
  if (signature.size() != device.signed_pre_key.signature.size()) return Broken("signedPreKey has no signature");
  std::copy(signature.begin(), signature.end(), device.signed_pre_key.signature.begin());
  device.signed_pre_key.id = NumberOf(*signed_key, "keyId").value_or(0);
  device.registration_id = NumberOf(*creds, "registrationId").value_or(0);
  if (device.signed_pre_key.id == 0 || device.registration_id == 0) return Broken("an id is missing");
  const auto secret = wa::ToKey(BytesOf(*creds, "advSecretKey"));
  if (!secret.ok()) return Broken("advSecretKey is missing");
  device.adv_secret = *secret;
  MD_ASSIGN_OR_RETURN(device.account, AccountOf(*creds));
  if (const json::object* me = Child(*creds, "me")) device.push_name = TextOf(*me, "name");

  wa::DeviceSettings settings;
  settings.next_pre_key_id = std::max(1u, NumberOf(*creds, "nextPreKeyId").value_or(1));
  settings.first_unuploaded_pre_key_id = settings.next_pre_key_id;
  settings.routing_info = BytesOf(*creds, "routingInfo");

  DeviceBackup backup;
  backup.credentials = device.Serialize();
  backup.settings = settings.Serialize();
  // As it will be read later; this also checks the signatures.
  MD_RETURN_IF_ERROR(wa::DeviceCredentials::Parse(backup.credentials).status());
  MD_RETURN_IF_ERROR(wa::DeviceSettings::Parse(backup.settings).status());
  return backup;
}

}  // namespace medidesk::gateway
