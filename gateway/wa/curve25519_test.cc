#include "gateway/wa/curve25519.h"

#include <gtest/gtest.h>

#include "gateway/wa/testing/scripted_entropy.h"
#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa {
namespace {

using testing::HexMember;
using testing::KeyMember;
using testing::ReadVectors;

TEST(Curve25519, MakesThePublicKeyOfAPrivateOne) {
  const auto file = ReadVectors("pair-code.json");
  for (const auto* member : {"ephemeral", "identity"}) {
    const auto& pair = file.at("primary").as_object().at(member);
    EXPECT_EQ(KeyPair::Of(KeyMember(pair, "private")).public_key, KeyMember(pair, "public")) << member;
  }
}

TEST(Curve25519, AgreesOnTheSecretOfTheVector) {
  const auto file = ReadVectors("pair-code.json");
  const auto& companion = file.at("companion").at("ephemeral");
  const auto& primary = file.at("primary").at("ephemeral");
  const Key32 secret = KeyMember(file.at("finish"), "ephemeral_shared");
  EXPECT_EQ(Agree(KeyMember(companion, "private"), KeyMember(primary, "public")).value(), secret);
  EXPECT_EQ(Agree(KeyMember(primary, "private"), KeyMember(companion, "public")).value(), secret);
}

TEST(Curve25519, RefusesAKeyThatGivesZeros) {
  Key32 one{};
  one[0] = 1;
  const KeyPair mine = KeyPair::Generate(testing::ScriptedEntropy());
  for (const Key32& bad : {Key32{}, one}) {
    EXPECT_EQ(Agree(mine.private_key, bad).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(Curve25519, VerifiesTheVectorAndNothingElse) {
  const auto file = ReadVectors("adv.json");
  const auto& vector = file.at("xeddsa");
  const Bytes key = HexMember(vector, "public");
  const Bytes message = HexMember(vector, "message");
  const Bytes signature = HexMember(vector, "signature");
  EXPECT_TRUE(Verify(key, message, signature));
  EXPECT_FALSE(Verify(key, message, HexMember(vector, "tampered_signature")));
  for (std::size_t bit = 0; bit < signature.size() * 8; bit += 7) {
    Bytes forged = signature;
    forged[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(Verify(key, message, forged)) << "bit " << bit;
  }
  Bytes other = message;
  other[0] ^= 1;
  EXPECT_FALSE(Verify(key, other, signature));
  EXPECT_FALSE(Verify(ByteView(key).first(31), message, signature));
  EXPECT_FALSE(Verify(key, message, ByteView(signature).first(63)));
  EXPECT_FALSE(Verify(key, message, {}));
}

TEST(Curve25519, SignsWhatVerifies) {
  const KeyPair pair = KeyPair::Generate(testing::ScriptedEntropy());
  const Bytes message = ToBytes("what a device says");
  const Signature first = Sign(pair.private_key, message, testing::ScriptedEntropy({}, 1));
  const Signature again = Sign(pair.private_key, message, testing::ScriptedEntropy({}, 1));
  const Signature other = Sign(pair.private_key, message, testing::ScriptedEntropy({}, 2));
  EXPECT_TRUE(Verify(pair.public_key, message, first));
  EXPECT_TRUE(Verify(pair.public_key, message, other));
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
  EXPECT_TRUE(Verify(pair.public_key, {}, Sign(pair.private_key, {}, testing::ScriptedEntropy())));
}

TEST(Curve25519, SignsWithAnUnclampedKeyAsItsPublicKeySays) {
  const auto file = ReadVectors("adv.json");
  const auto& vector = file.at("xeddsa");
  const Bytes message = HexMember(vector, "message");
  const Signature signature = Sign(KeyMember(vector, "private"), message, testing::ScriptedEntropy());
  EXPECT_TRUE(Verify(HexMember(vector, "public"), message, signature));
}

TEST(Curve25519, VerifiesNoSecondFormOfASignature) {
  const KeyPair pair = KeyPair::Generate(testing::ScriptedEntropy());
  const Bytes message = ToBytes("what a device says");
  const Signature good = Sign(pair.private_key, message, testing::ScriptedEntropy());
  ASSERT_TRUE(Verify(pair.public_key, message, good));
  // The same scalar plus the order of the group, which the curve cannot tell apart.
  const Bytes order = testing::Unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  Signature other = good;
  unsigned carry = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const unsigned sum = good[32 + i] + order[i] + carry;
    other[32 + i] = static_cast<std::uint8_t>(sum);
    carry = sum >> 8;
  }
  EXPECT_FALSE(Verify(pair.public_key, message, other));
}

TEST(Curve25519, VerifiesNothingByAKeyThatIsNoPoint) {
  // Taken as y = 0 it is a point of order 4: the neutral R and the scalar 0 would do for every fourth message.
  Bytes forged(64);
  forged[0] = 1;
  for (const char* key : {"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"}) {
    for (std::uint8_t i = 0; i < 64; ++i) {
      EXPECT_FALSE(Verify(testing::Unhex(key), Bytes{i}, forged));
    }
  }
}

}  // namespace
}  // namespace medidesk::gateway::wa
