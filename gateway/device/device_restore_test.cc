#include "gateway/device/device_restore.h"

#include <gmock/gmock.h>

#include "base/status.h"
#include "gateway/wa/device_settings.h"
#include "gateway/wa/testing/sample_device.h"

namespace medidesk::gateway {
namespace {

using ::testing::Contains;
using ::testing::UnorderedElementsAre;
using wa::RecordKind;

DeviceBackup Backup(const wa::DeviceCredentials& credentials) {
  wa::DeviceSettings settings;
  settings.next_pre_key_id = 900;
  settings.first_unuploaded_pre_key_id = 813;
  return {.number_name = "front-desk", .credentials = credentials.Serialize(), .settings = settings.Serialize()};
}

TEST(PlanRestore, KeepsTheDeviceAndDropsItsRatchets) {
  const wa::DeviceCredentials device = wa::testing::LinkedDevice();
  const auto plan = PlanRestore(Backup(device), "15550001111:7@s.whatsapp.net");
  ASSERT_TRUE(plan.ok()) << Text(plan.status());
  // Open retries ask for, and counters of keys tell of, what the dropped sessions and pre-keys were.
  EXPECT_THAT(plan->drop, UnorderedElementsAre(RecordKind::kCredentials, RecordKind::kSession, RecordKind::kPreKey,
                                               RecordKind::kSignedPreKey, RecordKind::kSenderKey,
                                               RecordKind::kDeviceList, RecordKind::kRetry, RecordKind::kSentContent,
                                               RecordKind::kAppState, RecordKind::kSetting));
  ASSERT_EQ(plan->write.size(), 2u);
  EXPECT_EQ(plan->write[0].name.key, wa::kSelfKey);
  EXPECT_EQ(plan->write[1].name, (wa::RecordName{.kind = RecordKind::kSetting, .key = std::string(wa::kSettingsKey)}));
  EXPECT_EQ(wa::DeviceCredentials::Parse(plan->write[0].value).value(), device);
  EXPECT_EQ(plan->phone, "+15550001111");
  EXPECT_EQ(plan->device_jid, "15550001111:7@s.whatsapp.net");
  EXPECT_EQ(plan->platform, "android");
}

TEST(PlanRestore, MovesOnFromThePreKeysThatMayHaveBeenGivenOut) {
  const auto plan = PlanRestore(Backup(wa::testing::LinkedDevice()), "");
  ASSERT_TRUE(plan.ok()) << Text(plan.status());
  const wa::DeviceSettings settings = wa::DeviceSettings::Parse(plan->write[1].value).value();
  EXPECT_EQ(settings.next_pre_key_id, 100'900u);
  EXPECT_EQ(settings.first_unuploaded_pre_key_id, settings.next_pre_key_id);
  EXPECT_TRUE(settings.upload_pre_keys);
}

TEST(PlanRestore, DropsEverythingOfAnotherDevice) {
  const auto plan = PlanRestore(Backup(wa::testing::LinkedDevice()), "15550002222:1@s.whatsapp.net");
  ASSERT_TRUE(plan.ok()) << Text(plan.status());
  for (int kind = 1; kind <= 15; ++kind) EXPECT_THAT(plan->drop, Contains(static_cast<RecordKind>(kind)));
}

TEST(PlanRestore, RefusesADeviceThatWasNeverLinked) {
  EXPECT_EQ(PlanRestore(Backup(wa::testing::SampleDevice()), "").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(PlanRestore, RefusesKeysThatCannotBeRead) {
  DeviceBackup backup = Backup(wa::testing::LinkedDevice());
  backup.settings = {1, 2, 3};
  EXPECT_FALSE(PlanRestore(backup, "").ok());
  backup.credentials.resize(10);
  EXPECT_FALSE(PlanRestore(backup, "").ok());
}

}  // namespace
}  // namespace medidesk::gateway
