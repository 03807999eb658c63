#include "gateway/wa/aes256.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa {
namespace {

using testing::Hex;
using testing::HexMember;

TEST(Aes256, SealsTheBundleOfTheVector) {
  const auto file = testing::ReadVectors("pair-code.json");
  const auto& vector = file.at("finish");
  const Key32 key = testing::KeyMember(vector, "bundle_key");
  const Bytes iv = HexMember(vector, "bundle_iv");
  const Bytes sealed = SealGcm(key, GcmNonce(iv), HexMember(vector, "bundle_plaintext"));
  const std::string bundle = testing::Text(vector, "wrapped_key_bundle");
  EXPECT_EQ(Hex(sealed), bundle.substr(2 * (32 + 12)));
  EXPECT_EQ(Hex(OpenGcm(key, GcmNonce(iv), sealed).value()), testing::Text(vector, "bundle_plaintext"));
}

TEST(Aes256, OpensNothingThatWasTouched) {
  const Key32 key{1};
  const std::array<std::uint8_t, 12> nonce{2};
  const Bytes sealed = SealGcm(key, nonce, AsBytes("keep this"));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes touched = sealed;
    touched[i] ^= 0x80;
    EXPECT_EQ(OpenGcm(key, nonce, touched).status().code(), absl::StatusCode::kUnauthenticated) << i;
    EXPECT_FALSE(OpenGcm(key, nonce, ByteView(sealed).first(i)).ok()) << i;
  }
  EXPECT_FALSE(OpenGcm(Key32{3}, nonce, sealed).ok());
  EXPECT_TRUE(OpenGcm(key, nonce, SealGcm(key, nonce, {})).value().empty());
}

TEST(Aes256, WrapsTheKeyOfTheVector) {
  const auto file = testing::ReadVectors("pair-code.json");
  const auto& vector = file.at("companion");
  const Key32 key = testing::KeyMember(vector, "pbkdf2_key");
  const Bytes iv = HexMember(vector, "iv");
  const Bytes wrapped = ApplyCtr(key, CtrBlock(iv), HexMember(vector.at("ephemeral"), "public"));
  EXPECT_EQ(Hex(wrapped), testing::Text(vector, "wrapped_companion_ephemeral_pub").substr(2 * (32 + 16)));
  EXPECT_EQ(ApplyCtr(key, CtrBlock(iv), wrapped), HexMember(vector.at("ephemeral"), "public"));
}

}  // namespace
}  // namespace medidesk::gateway::wa
