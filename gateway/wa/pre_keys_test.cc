#include "gateway/wa/pre_keys.h"

#include <gtest/gtest.h>
#include <signal/session_pre_key.h>
#include <signal/signal_protocol.h>

#include "gateway/wa/testing/sample_device.h"

namespace medidesk::gateway::wa {
namespace {

TEST(PreKeys, AreUploadedByWhatTheServerHas) {
  EXPECT_EQ(PreKeysWanted(0), 812u);
  EXPECT_EQ(PreKeysWanted(1), 50u);
  EXPECT_EQ(PreKeysWanted(4), 50u);
  EXPECT_EQ(PreKeysWanted(5), 0u);
  EXPECT_EQ(PreKeysWanted(812), 0u);
}

TEST(PreKeys, CountIdsAroundTheEnd) {
  EXPECT_EQ(PreKeyIdAfter(1, 812), 813u);
  EXPECT_EQ(PreKeyIdAfter(kMaxPreKeyId, 1), 1u);
  EXPECT_EQ(PreKeyIdAfter(kMaxPreKeyId - 1, 3), 2u);
  EXPECT_EQ(PreKeyIdsBetween(1, 813), 812u);
  EXPECT_EQ(PreKeyIdsBetween(7, 7), 0u);
  EXPECT_EQ(PreKeyIdsBetween(kMaxPreKeyId - 1, 2), 3u);
}

TEST(PreKeys, HaveIdsInARowAndKeysOfTheirOwn) {
  const auto keys = GeneratePreKeys(kMaxPreKeyId, 3, testing::ScriptedEntropy());
  ASSERT_EQ(keys.size(), 3u);
  EXPECT_EQ(keys[0].id, kMaxPreKeyId);
  EXPECT_EQ(keys[1].id, 1u);
  EXPECT_EQ(keys[2].id, 2u);
  EXPECT_NE(keys[0].pair, keys[1].pair);
}

TEST(PreKeys, ComeBackFromTheirRecord) {
  const PreKey key = GeneratePreKeys(42, 1, testing::ScriptedEntropy())[0];
  const Record record = key.ToRecord();
  EXPECT_EQ(record.name, (RecordName{RecordKind::kPreKey, "42"}));
  EXPECT_EQ(PreKey::Parse(record.value).value(), key);
  EXPECT_FALSE(PreKey::Parse({}).ok());
  EXPECT_FALSE(PreKey::Parse(AsBytes("\xff\xff\xff")).ok());
}

TEST(PreKeys, SignedOnesAreReadByTheLibrary) {
  const SignedPreKey key = testing::SampleDevice().signed_pre_key;
  const Record record =
      SignedPreKeyRecord(key, std::chrono::system_clock::time_point(std::chrono::seconds(1750000000)));
  EXPECT_EQ(record.name, (RecordName{RecordKind::kSignedPreKey, "1"}));
  session_signed_pre_key* read = nullptr;
  ASSERT_EQ(session_signed_pre_key_deserialize(&read, record.value.data(), record.value.size(), nullptr), 0);
  EXPECT_EQ(session_signed_pre_key_get_id(read), 1u);
  EXPECT_EQ(session_signed_pre_key_get_timestamp(read), 1750000000000u);
  SIGNAL_UNREF(read);
}

}  // namespace
}  // namespace medidesk::gateway::wa
