#include "tests/sim/whatsapp/curve.h"

#include <gtest/gtest.h>

#include "tests/sim/whatsapp/testing/vectors.h"

namespace medidesk::whatsapp_sim {
namespace {

using testing::At;
using testing::BytesAt;
using testing::KeyAt;

TEST(Curve, ComputesThePublicKeysOfTheVectors) {
  const auto vectors = testing::ReadVectors("pair-code.json");
  for (const auto& [side, member] :
       {std::pair{"companion", "ephemeral"}, {"primary", "ephemeral"}, {"primary", "identity"}}) {
    const KeyPair pair = testing::PairAt(At(vectors, side), member);
    EXPECT_EQ(KeyPairOf(pair.private_key).public_key, pair.public_key) << side << ' ' << member;
  }
}

TEST(Curve, VerifiesTheVectorsAndRefusesTheTamperedOne) {
  const auto adv = testing::ReadVectors("adv.json");
  const auto& vector = At(adv, "xeddsa");
  const Key key = KeyAt(vector, "public");
  EXPECT_TRUE(Verify(key, BytesAt(vector, "message"), BytesAt(vector, "signature")));
  EXPECT_FALSE(Verify(key, BytesAt(vector, "message"), BytesAt(vector, "tampered_signature")));
}

TEST(Curve, SignsWhatItVerifies) {
  const KeyPair pair = NewKeyPair();
  const Bytes message = Join({ViewOf("a message")});
  Bytes signature = Sign(pair.private_key, message);
  EXPECT_TRUE(Verify(pair.public_key, message, signature));
  EXPECT_FALSE(Verify(NewKeyPair().public_key, message, signature));
  EXPECT_FALSE(Verify(pair.public_key, ViewOf("another message"), signature));
  signature.pop_back();
  EXPECT_FALSE(Verify(pair.public_key, message, signature));
}

TEST(Curve, AgreesBothWaysAndRefusesAnAllZeroSecret) {
  const KeyPair a = NewKeyPair(), b = NewKeyPair();
  EXPECT_EQ(Agree(a.private_key, b.public_key).value(), Agree(b.private_key, a.public_key).value());
  EXPECT_FALSE(Agree(a.private_key, Key{}).ok());
}

}  // namespace
}  // namespace medidesk::whatsapp_sim
