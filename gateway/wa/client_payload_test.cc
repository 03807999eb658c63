#include "gateway/wa/client_payload.h"

#include <gtest/gtest.h>

#include "gateway/wa/testing/sample_device.h"
#include "whatsapp/client_payload.pb.h"

namespace medidesk::gateway::wa {
namespace {

using testing::Hex;
using testing::HexMember;
using testing::KeyMember;
using testing::ReadVectors;

// The vectors' client names itself otherwise, keeps sessions by phone number, and asks for the whole history.
ClientProfile VectorProfile() {
  return {.version = {2, 3000, 1043857760}, .device_name = "Mac OS", .device_version = {10, 15, 7}, .lid_first = false};
}

TEST(ClientPayload, LogsInByteForByteAsTheVector) {
  const auto file = ReadVectors("client-payload.json");
  EXPECT_EQ(Hex(LoginPayload(VectorProfile(), testing::LinkedDevice()).value()),
            testing::Text(file.at("login"), "hex"));
}

TEST(ClientPayload, RegistersByteForByteAsTheVectorButForHistory) {
  const auto file = ReadVectors("client-payload.json");
  const auto& vector = file.at("registration");
  DeviceCredentials device = testing::SampleDevice();
  device.registration_id = static_cast<std::uint32_t>(vector.at("registration_id").as_int64());
  device.identity.public_key = KeyMember(vector, "identity_public");
  device.signed_pre_key.pair = KeyPair::Of(KeyMember(vector, "signed_prekey_private"));
  const Bytes signature = HexMember(vector, "signed_prekey_signature");
  ASSERT_EQ(signature.size(), device.signed_pre_key.signature.size());
  std::copy(signature.begin(), signature.end(), device.signed_pre_key.signature.begin());

  whatsapp::ClientPayload expected;
  ASSERT_TRUE(expected.ParseFromString(ToString(HexMember(vector, "hex"))));
  whatsapp::DeviceProps props;
  ASSERT_TRUE(props.ParseFromString(expected.device_pairing_data().device_props()));
  EXPECT_TRUE(props.require_full_sync());
  props.set_require_full_sync(false);
  expected.mutable_device_pairing_data()->set_device_props(props.SerializeAsString());
  EXPECT_EQ(Hex(RegistrationPayload(VectorProfile(), device)), Hex(AsBytes(expected.SerializeAsString())));
}

TEST(ClientPayload, ShowsMediDeskInTheListOfLinkedDevices) {
  whatsapp::ClientPayload payload;
  ASSERT_TRUE(payload.ParseFromString(ToString(RegistrationPayload({}, testing::SampleDevice()))));
  whatsapp::DeviceProps props;
  ASSERT_TRUE(props.ParseFromString(payload.device_pairing_data().device_props()));
  EXPECT_EQ(props.os(), "MediDesk");
  EXPECT_EQ(props.platform_type(), 1);
  EXPECT_FALSE(payload.passive());
  EXPECT_FALSE(payload.has_username());
}

TEST(ClientPayload, DoesNotLogInWithoutALink) {
  EXPECT_EQ(LoginPayload({}, testing::SampleDevice()).status().code(), absl::StatusCode::kFailedPrecondition);
  DeviceCredentials device = testing::LinkedDevice();
  device.account->jid = *Jid::Parse("someone@s.whatsapp.net");
  EXPECT_EQ(LoginPayload({}, device).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ClientVersion, ReadsThreeNumbersOnly) {
  EXPECT_EQ(ClientVersion::Parse("2.3000.1045649367").value(), ClientVersion{});
  EXPECT_EQ(ClientVersion{}.ToString(), "2.3000.1045649367");
  for (const auto* bad :
       {"", "2", "2.3000", "2.3000.", "2.3000.1.", "2.3000.1.4", "a.b.c", "2.-1.4", "2.3000.99999999999"}) {
    EXPECT_FALSE(ClientVersion::Parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace medidesk::gateway::wa
