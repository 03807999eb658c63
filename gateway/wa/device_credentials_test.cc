#include "gateway/wa/device_credentials.h"

#include <gtest/gtest.h>

#include "gateway/wa/device_settings.h"
#include "gateway/wa/testing/sample_device.h"
#include "whatsapp/device_record.pb.h"

namespace medidesk::gateway::wa {
namespace {

using testing::LinkedDevice;
using testing::SampleDevice;

TEST(DeviceCredentials, AreMadeWhole) {
  const DeviceCredentials device = SampleDevice();
  EXPECT_GE(device.registration_id, 1u);
  EXPECT_LE(device.registration_id, DeviceCredentials::kMaxRegistrationId);
  EXPECT_EQ(device.signed_pre_key.id, 1u);
  EXPECT_TRUE(Verify(device.identity.public_key, TypedKey(device.signed_pre_key.pair.public_key),
                     device.signed_pre_key.signature));
  EXPECT_NE(device.noise.private_key, device.identity.private_key);
  EXPECT_FALSE(device.linked());
}

TEST(DeviceCredentials, ComeBackFromTheirRecord) {
  for (const DeviceCredentials& device : {SampleDevice(), LinkedDevice()}) {
    const auto again = DeviceCredentials::Parse(device.Serialize());
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, device);
  }
}

TEST(DeviceCredentials, ComeBackWithoutALid) {
  DeviceCredentials device = LinkedDevice();
  device.account->lid = Jid{};
  EXPECT_EQ(DeviceCredentials::Parse(device.Serialize()).value(), device);
}

TEST(DeviceCredentials, RefuseARecordThatIsCutOrChanged) {
  const Bytes whole = LinkedDevice().Serialize();
  for (std::size_t size = 0; size < 200; ++size) {
    EXPECT_FALSE(DeviceCredentials::Parse(ByteView(whole).first(size)).ok()) << "prefix of " << size;
  }
  whatsapp::DeviceCredentialsRecord record;
  ASSERT_TRUE(record.ParseFromArray(whole.data(), static_cast<int>(whole.size())));
  const auto refused = [](const whatsapp::DeviceCredentialsRecord& changed) {
    return !DeviceCredentials::Parse(AsBytes(changed.SerializeAsString())).ok();
  };
  auto changed = record;
  changed.set_version(2);
  EXPECT_TRUE(refused(changed));
  changed = record;
  (*changed.mutable_identity_private())[5] ^= 1;
  EXPECT_TRUE(refused(changed));
  changed = record;
  changed.set_jid("not an address");
  EXPECT_TRUE(refused(changed));
  changed = record;
  changed.set_account("x");
  EXPECT_TRUE(refused(changed));
}

TEST(DeviceSettings, ComeBackFromTheirRecord) {
  const DeviceSettings settings{
      .next_pre_key_id = 813, .first_unuploaded_pre_key_id = 1, .upload_pre_keys = true, .routing_info = {8, 2, 8, 12}};
  EXPECT_EQ(DeviceSettings::Parse(settings.Serialize()).value(), settings);
  EXPECT_EQ(DeviceSettings::Parse(DeviceSettings{}.Serialize()).value(), DeviceSettings{});
}

TEST(DeviceSettings, RefuseARecordOutOfRange) {
  EXPECT_FALSE(DeviceSettings::Parse({}).ok());
  EXPECT_FALSE(DeviceSettings::Parse(DeviceSettings{.next_pre_key_id = 0}.Serialize()).ok());
  EXPECT_FALSE(DeviceSettings::Parse(DeviceSettings{.first_unuploaded_pre_key_id = 1u << 24}.Serialize()).ok());
  EXPECT_FALSE(DeviceSettings::Parse(AsBytes("\xff\xff")).ok());
}

TEST(DeviceSettings, LeaveAGapAfterARestore) {
  const DeviceSettings restored =
      DeviceSettings{.next_pre_key_id = 900, .first_unuploaded_pre_key_id = 850}.AfterRestore();
  EXPECT_EQ(restored.next_pre_key_id, 100'900u);
  EXPECT_EQ(restored.first_unuploaded_pre_key_id, 100'900u);
  EXPECT_TRUE(restored.upload_pre_keys);
}

}  // namespace
}  // namespace medidesk::gateway::wa
