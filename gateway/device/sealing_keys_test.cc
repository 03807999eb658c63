#include "gateway/device/sealing_keys.h"

#include <gtest/gtest.h>

#include "base/status.h"
#include "gateway/device/device_restore.h"

namespace medidesk::gateway {
namespace {

// 32 bytes 'a', 'b' and 'c' in base64.
constexpr char kA[] = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";
constexpr char kB[] = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=";
constexpr char kC[] = "Y2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2M=";

SealingKeys Keys(const std::string& text) { return SealingKeys::Parse(text, SystemEntropy()).value(); }
SealedName Name() {
  return {.number_id = "6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01",
          .record = {.kind = wa::RecordKind::kSession, .key = "15550001111:7"},
          .revision = 42};
}
const wa::Bytes kPlain = wa::ToBytes(std::string_view("a ratchet"));

TEST(SealingKeys, OpensWhatItSealed) {
  const SealingKeys keys = Keys(kA);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100'000}}) {
    const wa::Bytes plain(size, 7);
    const wa::Bytes sealed = keys.Seal(Name(), plain);
    EXPECT_EQ(sealed.size(), size + SealingKeys::kOverhead);
    const auto opened = keys.Open(Name(), sealed);
    ASSERT_TRUE(opened.ok()) << Text(opened.status());
    EXPECT_EQ(*opened, plain);
  }
}

TEST(SealingKeys, NeverSealsTwiceAlike) {
  const SealingKeys keys = Keys(kA);
  EXPECT_NE(keys.Seal(Name(), kPlain), keys.Seal(Name(), kPlain));
}

// Made with another implementation (Python's cryptography) from the form in the header: nonce of twelve 5s, key 'a'.
TEST(SealingKeys, KeepsItsForm) {
  const SealingKeys keys = SealingKeys::Parse(kA, [](std::span<std::uint8_t> bytes) {
                             std::fill(bytes.begin(), bytes.end(), std::uint8_t{5});
                           }).value();
  const wa::Bytes sealed = keys.Seal(Name(), kPlain);
  std::string hex;
  for (const std::uint8_t byte : sealed) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  EXPECT_EQ(hex, "010576b65505050505050505050505050544afcf67407011c24341ee28259c36ef006b51e406d1ca756c");
}

TEST(SealingKeys, OpensNothingUnderAnotherName) {
  const SealingKeys keys = Keys(kA);
  const wa::Bytes sealed = keys.Seal(Name(), kPlain);
  const auto refuses = [&](const SealedName& name) {
    EXPECT_EQ(keys.Open(name, sealed).status().code(), absl::StatusCode::kInvalidArgument);
  };
  SealedName name = Name();
  name.number_id = "6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c02";
  refuses(name);
  name = Name();
  name.record.kind = wa::RecordKind::kPreKey;
  refuses(name);
  name = Name();
  name.record.key = "15550001111:8";
  refuses(name);
  name = Name();
  name.revision = 41;
  refuses(name);
  EXPECT_FALSE(keys.OpenFile("15550001111:7", sealed).ok());
}

TEST(SealingKeys, RefusesEveryPrefixAndEveryFlippedBit) {
  const SealingKeys keys = Keys(kA);
  const wa::Bytes sealed = keys.Seal(Name(), kPlain);
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(keys.Open(Name(), {sealed.data(), size}).ok()) << "prefix of " << size;
  }
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    wa::Bytes changed = sealed;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    EXPECT_FALSE(keys.Open(Name(), changed).ok()) << "bit " << bit;
  }
}

TEST(SealingKeys, SaysThatTheKeyIsAnother) {
  const auto opened = Keys(kB).Open(Name(), Keys(kA).Seal(Name(), kPlain));
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(Text(opened.status()).find("MEDIDESK_MASTER_KEY"), std::string_view::npos);
}

TEST(SealingKeys, SaysWhatIsWrongWithTheVariable) {
  for (const std::string text : {"", "short", "YWFh", "not base64 at all, not base64 at all, no!!!=",
                                 "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ==", ","}) {
    const auto keys = SealingKeys::Parse(text, SystemEntropy());
    EXPECT_EQ(keys.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Text(keys.status()).find("MEDIDESK_MASTER_KEY: "), 0u);
    EXPECT_EQ(Text(keys.status()).find('\n'), std::string_view::npos);
    if (text.size() > 1) {
      EXPECT_EQ(Text(keys.status()).find(text), std::string_view::npos) << "a secret may be in it";
    }
  }
  EXPECT_FALSE(SealingKeys::Parse(std::string(kA) + ",junk", SystemEntropy()).ok());
  EXPECT_FALSE(SealingKeys::Parse(std::string(kA) + ",", SystemEntropy()).ok());
  EXPECT_TRUE(SealingKeys::Parse(std::string(kA) + "\n", SystemEntropy()).ok()) << "as `cat` gives a file";
}

TEST(SealingKeys, OpensWithOlderKeysAndSealsWithTheFirst) {
  const SealingKeys before = Keys(kA), during = Keys(std::string(kB) + "," + kA), after = Keys(kB);
  const wa::Bytes old = before.Seal(Name(), kPlain);
  EXPECT_EQ(during.Open(Name(), old).value(), kPlain);
  EXPECT_TRUE(during.NeedsResealing(old));
  EXPECT_FALSE(before.NeedsResealing(old));
  const wa::Bytes fresh = during.Seal(Name(), kPlain);
  EXPECT_FALSE(during.NeedsResealing(fresh));
  EXPECT_EQ(after.Open(Name(), fresh).value(), kPlain);
  EXPECT_FALSE(after.Open(Name(), old).ok());
}

TEST(SealingKeys, WalksThroughWhatAnOlderKeyHasSealed) {
  const SealingKeys before = Keys(kA), during = Keys(std::string(kB) + "," + kA);
  std::vector<SealedRecord> records;
  for (int k = 0; k < 4; ++k) {
    SealedName name = Name();
    name.record.key = std::to_string(k);
    records.push_back({name, (k % 2 == 0 ? before : during).Seal(name, kPlain)});
  }
  const auto found = RecordsToReseal(during, records);
  ASSERT_TRUE(found.ok()) << Text(found.status());
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[1].name.key, "2");
  EXPECT_EQ((*found)[1].value, kPlain);
  EXPECT_FALSE(RecordsToReseal(Keys(kC), records).ok()) << "the old key is needed until the walk is done";
}

}  // namespace
}  // namespace medidesk::gateway
