#include "gateway/wa/key_derivation.h"

#include <gtest/gtest.h>

#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa {
namespace {

using testing::Hex;
using testing::Unhex;

// FIPS 180 and RFC 1321.
TEST(KeyDerivation, HashesAsTheStandardsSay) {
  EXPECT_EQ(Hex(Sha256(AsBytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(Sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex(Sha1(AsBytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(Hex(Md5(AsBytes("abc"))), "900150983cd24fb0d6963f7d28e17f72");
}

// RFC 4231, case 2.
TEST(KeyDerivation, AuthenticatesAsTheStandardSays) {
  EXPECT_EQ(Hex(HmacSha256(AsBytes("Jefe"), AsBytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(Hex(HmacSha256({}, {})), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

// RFC 5869, cases 1 and 3.
TEST(KeyDerivation, DerivesAsTheStandardSays) {
  const Bytes secret(22, 0x0b);
  EXPECT_EQ(Hex(HkdfSha256(secret, Unhex("000102030405060708090a0b0c"), Unhex("f0f1f2f3f4f5f6f7f8f9"), 42)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  EXPECT_EQ(Hex(HkdfSha256(secret, {}, {}, 42)),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
  // An empty secret, too: HMAC(HMAC(32 zeros, nothing), 01).
  EXPECT_EQ(Hex(HkdfSha256({}, {}, {}, 32)), "eb70f01dede9afafa449eee1b1286504e1f62388b3f7dd4f956697b0e828fe18");
}

TEST(KeyDerivation, StretchesACodeAsTheVectorSays) {
  const auto file = testing::ReadVectors("pair-code.json");
  const std::string code = testing::Text(file, "code");
  for (const auto* side : {"companion", "primary"}) {
    const auto& vector = file.at(side);
    EXPECT_EQ(Hex(Pbkdf2Sha256(AsBytes(code), testing::HexMember(vector, "salt"), 131072)),
              testing::Text(vector, "pbkdf2_key"));
  }
}

TEST(KeyDerivation, ComparesSecretsWhole) {
  EXPECT_TRUE(SameSecret(AsBytes("abc"), AsBytes("abc")));
  EXPECT_TRUE(SameSecret({}, {}));
  EXPECT_FALSE(SameSecret(AsBytes("abc"), AsBytes("abd")));
  EXPECT_FALSE(SameSecret(AsBytes("abc"), AsBytes("ab")));
}

}  // namespace
}  // namespace medidesk::gateway::wa
