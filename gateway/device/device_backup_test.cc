#include "gateway/device/device_backup.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace medidesk::gateway {
namespace {

constexpr char kA[] = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";
constexpr char kB[] = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=";

SealingKeys Keys(std::string_view text) { return SealingKeys::Parse(text, SystemEntropy()).value(); }
DeviceBackup Sample() {
  return {.number_name = "front-desk",
          .create_seconds = 1'790'000'000,
          .credentials = wa::ToBytes(std::string_view("noise, identity, adv")),
          .settings = wa::ToBytes(std::string_view("next id"))};
}

TEST(DeviceBackup, ComesBackAsItWas) {
  const wa::Bytes file = SealBackup(Sample(), Keys(kA));
  const auto opened = OpenBackup(file, Keys(kA));
  ASSERT_TRUE(opened.ok()) << Text(opened.status());
  EXPECT_EQ(*opened, Sample());
  EXPECT_EQ(wa::ToString(file).find("identity"), std::string::npos) << "nothing of it stands open in the file";
}

TEST(DeviceBackup, WantsTheKeyThatSealedIt) {
  const auto opened = OpenBackup(SealBackup(Sample(), Keys(kA)), Keys(kB));
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(DeviceBackup, RefusesOtherFiles) {
  const wa::Bytes file = SealBackup(Sample(), Keys(kA));
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_EQ(OpenBackup({file.data(), size}, Keys(kA)).status().code(), absl::StatusCode::kInvalidArgument);
  }
  wa::Bytes changed = file;
  changed.back() ^= 1;
  EXPECT_FALSE(OpenBackup(changed, Keys(kA)).ok());
  EXPECT_FALSE(OpenBackup(wa::Bytes(kMaxBackupBytes + 1, 'm'), Keys(kA)).ok());
}

TEST(DeviceBackup, RefusesEveryPrefixOfItsContent) {
  const wa::Bytes content = SerializeBackup(Sample());
  ASSERT_TRUE(ParseBackup(content).ok());
  for (std::size_t size = 0; size < content.size(); ++size) EXPECT_FALSE(ParseBackup({content.data(), size}).ok());
  wa::Bytes longer = content;
  longer.push_back(0);
  EXPECT_FALSE(ParseBackup(longer).ok());
}

}  // namespace
}  // namespace medidesk::gateway
