#include "gateway/wa/pairing_code.h"

#include <gtest/gtest.h>

#include "gateway/wa/iq_linking.h"
#include "gateway/wa/key_derivation.h"
#include "gateway/wa/testing/scripted_entropy.h"
#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa {
namespace {

using testing::Hex;
using testing::HexMember;
using testing::KeyMember;
using testing::PairMember;
using testing::ScriptedEntropy;

class PairingCodeTest : public ::testing::Test {
 protected:
  const boost::json::value file_ = testing::ReadVectors("pair-code.json");
  const std::string code_ = testing::Text(file_, "code");
};

TEST_F(PairingCodeTest, EncodesTheVectorsCode) {
  const Bytes bytes = HexMember(file_, "code_bytes");
  EXPECT_EQ(EncodeCode(std::span<const std::uint8_t, 5>(bytes)), code_);
  EXPECT_EQ(DisplayCode(code_), "15JM-BSWA");
}

TEST_F(PairingCodeTest, WrapsOurKeyAsTheVector) {
  const auto& companion = file_.at("companion");
  const auto entropy = ScriptedEntropy(Join({HexMember(companion, "salt"), HexMember(companion, "iv")}));
  EXPECT_EQ(Hex(WrapKey(code_, PairMember(companion, "ephemeral").public_key, entropy)),
            testing::Text(companion, "wrapped_companion_ephemeral_pub"));
}

TEST_F(PairingCodeTest, UnwrapsThePhonesKeyOfTheVector) {
  const auto& primary = file_.at("primary");
  const Bytes wrapped = HexMember(primary, "wrapped_primary_ephemeral_pub");
  EXPECT_EQ(UnwrapKey(code_, wrapped).value(), PairMember(primary, "ephemeral").public_key);
  EXPECT_NE(UnwrapKey("15JMBSWB", wrapped).value(), PairMember(primary, "ephemeral").public_key);
  EXPECT_FALSE(UnwrapKey(code_, ByteView(wrapped).first(79)).ok());
  EXPECT_FALSE(UnwrapKey(code_, {}).ok());
}

TEST_F(PairingCodeTest, MakesTheBundleOfTheVector) {
  const auto& finish = file_.at("finish");
  const auto entropy = ScriptedEntropy(
      Join({HexMember(finish, "adv_random"), HexMember(finish, "bundle_salt"), HexMember(finish, "bundle_iv")}));
  const auto bundle = MakeCodeBundle(
      PairMember(file_.at("companion"), "ephemeral"), PairMember(file_.at("primary"), "ephemeral").public_key,
      PairMember(finish, "companion_identity"), PairMember(file_.at("primary"), "identity").public_key, entropy);
  ASSERT_TRUE(bundle.ok());
  EXPECT_EQ(Hex(bundle->wrapped), testing::Text(finish, "wrapped_key_bundle"));
  EXPECT_EQ(Hex(bundle->adv_secret), testing::Text(finish, "adv_secret"));
}

TEST_F(PairingCodeTest, RefusesAPhoneWithoutKeys) {
  const KeyPair ours = KeyPair::Generate(ScriptedEntropy());
  EXPECT_FALSE(MakeCodeBundle(ours, Key32{}, ours, ours.public_key, ScriptedEntropy()).ok());
  EXPECT_FALSE(MakeCodeBundle(ours, ours.public_key, ours, Key32{}, ScriptedEntropy()).ok());
}

TEST(PairingCode, TakesInternationalNumbersOnly) {
  EXPECT_TRUE(IsLinkablePhone("15550001111"));
  EXPECT_TRUE(IsLinkablePhone("1234567"));
  for (const auto* bad : {"", "123456", "0155500011", "+15550001111", "1555 0001111", "1234567890123456"}) {
    EXPECT_FALSE(IsLinkablePhone(bad)) << bad;
  }
}

TEST(CompanionHello, HasTheShapeOfTheWire) {
  const Node iq = CompanionHelloRequest{.phone = "15550001111",
                                        .wrapped_ephemeral = Bytes(80, 1),
                                        .noise_public = Key32{2},
                                        .platform_id = '1',
                                        .platform_display = "Chrome (Mac OS)"}
                      .Build("1");
  const Node* reg = iq.Child("link_code_companion_reg");
  ASSERT_NE(reg, nullptr);
  EXPECT_EQ(iq.Attr("xmlns"), "md");
  EXPECT_EQ(reg->Attr("jid"), "15550001111@s.whatsapp.net");
  EXPECT_EQ(reg->Attr("stage"), "companion_hello");
  EXPECT_EQ(reg->Child("link_code_pairing_wrapped_companion_ephemeral_pub")->ContentBytes().size(), 80u);
  EXPECT_EQ(reg->Child("companion_server_auth_key_pub")->ContentBytes().size(), 32u);
  EXPECT_EQ(reg->Child("companion_platform_id")->ContentText(), "1");
  EXPECT_EQ(reg->Child("companion_platform_display")->ContentText(), "Chrome (Mac OS)");
  EXPECT_EQ(reg->Child("link_code_pairing_nonce")->ContentText(), "0");
  EXPECT_FALSE(CompanionHelloRequest::Parse(Node{"iq", {}, {}}).ok());
  const Node answer{"iq", {}, Nodes{{"link_code_companion_reg", {}, Nodes{{"link_code_pairing_ref", {}, Bytes{9}}}}}};
  EXPECT_EQ(CompanionHelloRequest::Parse(answer).value(), Bytes{9});
}

}  // namespace
}  // namespace medidesk::gateway::wa
