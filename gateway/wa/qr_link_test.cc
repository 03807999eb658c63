#include "gateway/wa/qr_link.h"

#include <gtest/gtest.h>

#include "gateway/wa/base64.h"
#include "gateway/wa/testing/sample_device.h"

namespace medidesk::gateway::wa {
namespace {

using std::chrono::seconds;

constexpr Time kStart{std::chrono::hours(1000)};

TEST(Base64, FollowsTheStandard) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                                                       {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : cases) EXPECT_EQ(ToBase64(AsBytes(plain)), encoded);
  const Bytes bytes = {0xfb, 0xff, 0xfe, 0x01};
  EXPECT_EQ(ToBase64(bytes), "+//+AQ==");
  EXPECT_EQ(ToBase64Url(bytes), "-__-AQ");
  EXPECT_EQ(FromBase64Url("-__-AQ"), bytes);
  EXPECT_EQ(FromBase64Url(""), Bytes{});
}

TEST(Base64, IsStrict) {
  for (const auto* bad : {"A", "+//+AQ", "AQ==", "AR", "A Q", "AAAAA"})
    EXPECT_EQ(FromBase64Url(bad), std::nullopt) << bad;
}

TEST(QrLink, SaysWhatTheVectorSays) {
  const auto file = testing::ReadVectors("adv.json");
  const auto& vector = file.at("qr");
  DeviceCredentials device = testing::SampleDevice();
  device.noise.public_key = testing::KeyMember(vector, "noise_public");
  device.identity.public_key = testing::KeyMember(vector, "identity_public");
  device.adv_secret = testing::KeyMember(vector, "adv_secret");
  EXPECT_EQ(QrText(testing::Text(vector, "ref"), device, testing::Text(vector, "platform_id")[0]),
            testing::Text(vector, "qr"));
}

TEST(QrLink, ReadsRefsInEitherFormAndABoundedNumber) {
  Nodes refs{{"ref", {}, ToBytes("2@a")}, {"ref", {}, std::string("b")}, {"ref", {}, {}}, {"other", {}, ToBytes("c")}};
  EXPECT_EQ(RefsOf(Node{"pair-device", {}, refs}), (std::vector<std::string>{"2@a", "b"}));
  EXPECT_TRUE(RefsOf(Node{"pair-device", {}, {}}).empty());
  EXPECT_EQ(RefsOf(Node{"pair-device", {}, Nodes(1000, Node{"ref", {}, ToBytes("r")})}).size(), 16u);
  EXPECT_TRUE(RefsOf(Node{"pair-device", {}, Nodes{{"ref", {}, Bytes(2000, 'r')}}}).empty());
}

TEST(QrRotation, ShowsTheFirst60SecondsAndEveryOther20) {
  QrRotation rotation({"a", "b", "c"});
  EXPECT_FALSE(rotation.exhausted(kStart));
  auto code = rotation.Next(kStart);
  ASSERT_TRUE(code.has_value());
  EXPECT_EQ(code->ref, "a");
  EXPECT_EQ(code->index, 1);
  EXPECT_EQ(code->count, 3);
  EXPECT_EQ(code->expires, kStart + seconds(60));
  EXPECT_EQ(rotation.Next(kStart + seconds(59)), std::nullopt);
  EXPECT_EQ(rotation.next_time(), kStart + seconds(60));
  EXPECT_EQ(rotation.Next(kStart + seconds(60))->ref, "b");
  EXPECT_EQ(rotation.Next(kStart + seconds(80))->ref, "c");
  EXPECT_FALSE(rotation.exhausted(kStart + seconds(99)));
  EXPECT_TRUE(rotation.exhausted(kStart + seconds(100)));
  EXPECT_EQ(rotation.Next(kStart + seconds(100)), std::nullopt);
}

TEST(QrRotation, IsExhaustedAtOnceWithoutRefs) { EXPECT_TRUE(QrRotation({}).exhausted(kStart)); }

}  // namespace
}  // namespace medidesk::gateway::wa
