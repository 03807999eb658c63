#include "gateway/device/baileys_auth.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>

#include <string>

#include "base/status.h"
#include "gateway/device/device_restore.h"
#include "gateway/wa/base64.h"
#include "gateway/wa/device_settings.h"
#include "gateway/wa/testing/sample_device.h"

namespace medidesk::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
namespace json = boost::json;

enum class Form { kBase64, kNumbers, kIndexed };

json::value Buffer(wa::ByteView bytes, Form form = Form::kBase64) {
  if (form == Form::kIndexed) {
    json::object indexed;
    for (std::size_t i = 0; i < bytes.size(); ++i) indexed[std::to_string(i)] = bytes[i];
    return indexed;
  }
  json::object buffer{{"type", "Buffer"}};
  if (form == Form::kNumbers) {
    json::array list;
    for (const std::uint8_t byte : bytes) list.push_back(byte);
    buffer["data"] = list;
  } else {
    buffer["data"] = wa::ToBase64(bytes);
  }
  return buffer;
}

json::object Pair(const wa::KeyPair& pair, Form form) {
  return {{"private", Buffer(pair.private_key, form)}, {"public", Buffer(pair.public_key, form)}};
}

// What Baileys writes for `device`.
json::object Creds(const wa::DeviceCredentials& device, Form form = Form::kBase64) {
  whatsapp::AdvSignedDeviceIdentity identity;
  identity.ParseFromString(wa::ToString(device.account->signed_identity));
  const auto text = [](const std::string& bytes) { return wa::ToBase64(wa::AsBytes(bytes)); };
  return {{"noiseKey", Pair(device.noise, form)},
          {"signedIdentityKey", Pair(device.identity, form)},
          {"signedPreKey",
           {{"keyPair", Pair(device.signed_pre_key.pair, form)},
            {"signature", Buffer(device.signed_pre_key.signature, form)},
            {"keyId", device.signed_pre_key.id}}},
          {"registrationId", device.registration_id},
          {"advSecretKey", wa::ToBase64(device.adv_secret)},
          {"me", {{"id", device.account->jid.ToString()}, {"lid", device.account->lid.ToString()}, {"name", "Desk"}}},
          {"account",
           {{"details", text(identity.details())},
            {"accountSignatureKey", text(identity.account_signature_key())},
            {"accountSignature", text(identity.account_signature())},
            {"deviceSignature", text(identity.device_signature())}}},
          {"platform", "android"},
          {"nextPreKeyId", 31},
          {"routingInfo", Buffer(wa::ToBytes(std::string_view("\x08\x0d")), form)}};
}

std::string Text(const json::object& object) { return json::serialize(object); }

TEST(ReadBaileysCredentials, TakesTheDeviceInEveryFormThatWasWritten) {
  const wa::DeviceCredentials device = wa::testing::LinkedDevice();
  for (const Form form : {Form::kBase64, Form::kNumbers, Form::kIndexed}) {
    const auto backup = ReadBaileysCredentials(Text(Creds(device, form)));
    ASSERT_TRUE(backup.ok()) << backup.status();
    wa::DeviceCredentials expected = device;
    expected.push_name = "Desk";
    expected.account->business_name = "";
    EXPECT_EQ(wa::DeviceCredentials::Parse(backup->credentials).value(), expected);
    const wa::DeviceSettings settings = wa::DeviceSettings::Parse(backup->settings).value();
    EXPECT_EQ(settings.next_pre_key_id, 31u);
    EXPECT_EQ(settings.routing_info, wa::ToBytes(std::string_view("\x08\x0d")));
  }
}

TEST(ReadBaileysCredentials, BecomesADeviceWithFreshPreKeysAndNoSessions) {
  const auto backup = ReadBaileysCredentials(Text(Creds(wa::testing::LinkedDevice())));
  const auto plan = PlanRestore(backup.value(), "");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->phone, "+15550001111");
  EXPECT_EQ(wa::DeviceSettings::Parse(plan->write[1].value)->next_pre_key_id, 100'031u);
}

TEST(ReadBaileysCredentials, RefusesAFileThatLacksAKeyAndNamesWhich) {
  const json::object whole = Creds(wa::testing::LinkedDevice());
  for (const char* key : {"noiseKey", "signedIdentityKey", "signedPreKey", "registrationId", "advSecretKey"}) {
    json::object cut = whole;
    cut.erase(key);
    const auto backup = ReadBaileysCredentials(Text(cut));
    EXPECT_EQ(backup.status().code(), absl::StatusCode::kInvalidArgument) << key;
  }
  for (const char* key : {"me", "account"}) {
    json::object cut = whole;
    cut.erase(key);
    EXPECT_EQ(ReadBaileysCredentials(Text(cut)).status().code(), absl::StatusCode::kFailedPrecondition) << key;
  }
}

TEST(ReadBaileysCredentials, RefusesKeysThatDoNotBelongTogether) {
  const wa::DeviceCredentials device = wa::testing::LinkedDevice();
  json::object creds = Creds(device);
  creds["noiseKey"].as_object()["public"] = Buffer(device.identity.public_key);
  EXPECT_THAT(std::string(medidesk::Text(ReadBaileysCredentials(Text(creds)).status())), HasSubstr("noiseKey"));
  creds = Creds(device);
  creds["signedPreKey"].as_object()["signature"] = Buffer(wa::Bytes(64, 1));
  EXPECT_FALSE(ReadBaileysCredentials(Text(creds)).ok());
}

TEST(ReadBaileysCredentials, RefusesWhatIsNoAuthStateWithoutQuotingIt) {
  for (const char* text : {"", "null", "[]", "{", "{\"noiseKey\":7}", "{\"noiseKey\":{\"private\":\"s3cret\"}}"}) {
    const auto backup = ReadBaileysCredentials(text);
    EXPECT_EQ(backup.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(medidesk::Text(backup.status())), Not(HasSubstr("s3cret")));
  }
  EXPECT_FALSE(ReadBaileysCredentials(std::string(kMaxBaileysBytes + 1, ' ')).ok());
}

}  // namespace
}  // namespace medidesk::gateway
