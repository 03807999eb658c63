#include "tests/sim/whatsapp/phone.h"

#include <gtest/gtest.h>

#include "tests/sim/whatsapp/crypto.h"
#include "tests/sim/whatsapp/testing/vectors.h"
#include "tests/sim/whatsapp/wire.pb.h"

namespace medidesk::whatsapp_sim {
namespace {

using testing::At;
using testing::BytesAt;
using testing::KeyAt;
using testing::TextAt;

Phone::Options Options() {
  return {.number = "15550001111", .lid = "123456789012345", .name = "Asha", .business_name = ""};
}

TEST(Qr, ReadsTheVectorWithAndWithoutItsAddress) {
  const auto vectors = testing::ReadVectors("adv.json");
  const auto& vector = At(vectors, "qr");
  const std::string text = TextAt(vector, "qr");
  for (const std::string& form : {text, text.substr(text.find('#') + 1)}) {
    const auto qr = ParseQr(form);
    ASSERT_TRUE(qr.ok()) << qr.status();
    EXPECT_EQ(qr->ref, TextAt(vector, "ref"));
    EXPECT_EQ(qr->noise_key, KeyAt(vector, "noise_public"));
    EXPECT_EQ(qr->identity, KeyAt(vector, "identity_public"));
    EXPECT_EQ(qr->adv_secret, KeyAt(vector, "adv_secret"));
    EXPECT_EQ(qr->platform, TextAt(vector, "platform_id"));
  }
  EXPECT_TRUE(ParseQr(text.substr(0, text.rfind(','))).ok()) << "the old form of four fields";
}

TEST(Qr, RefusesWhatIsNone) {
  const std::string key = Base64(Bytes(32));
  for (const std::string& text :
       {std::string(), std::string("ref"), "ref," + key + "," + key, "," + key + "," + key + "," + key,
        "ref," + key + "," + key + ",short", "ref," + key + "," + key + "," + key + ",1,more"}) {
    EXPECT_FALSE(ParseQr(text).ok()) << text;
  }
}

TEST(Phone, AcceptsTheDeviceSignatureOfTheVector) {
  const auto vectors = testing::ReadVectors("adv.json");
  const auto& vector = At(vectors, "vectors").as_array()[0];
  // The vector's account is not this phone: what is checked is the message that is signed.
  const Bytes message = BytesAt(vector, "device_signature_message");
  const Key identity = KeyAt(At(vector, "device_identity_key"), "public");
  EXPECT_TRUE(Verify(identity, message, BytesAt(vector, "device_signature_baileys")));
  const std::uint8_t prefix[] = {6, 1};
  EXPECT_EQ(message, Join({prefix, BytesAt(vector, "adv_device_identity"), identity,
                           KeyAt(At(vector, "account_key"), "public")}));
}

class EndorsementTest : public ::testing::Test {
 protected:
  // The answer of a companion that signs with `signer`.
  Bytes Reply(const Endorsement& endorsement, const KeyPair& signer) const {
    AdvSignedDeviceIdentity identity;
    const std::uint8_t prefix[] = {6, 1};
    identity.set_details(std::string(TextOf(endorsement.details)));
    identity.set_device_signature(std::string(TextOf(Sign(
        signer.private_key, Join({prefix, endorsement.details, companion.public_key, phone.identity().public_key})))));
    const std::string text = identity.SerializeAsString();
    return Bytes(text.begin(), text.end());
  }

  Phone phone{Options()};
  const KeyPair companion = NewKeyPair();
  const Bytes secret = RandomBytes(32);
};

TEST_F(EndorsementTest, CarriesAMacAndASignatureThatHold) {
  const Endorsement endorsement = phone.Endorse(companion.public_key, secret, AdvForgery::kNone, 1'790'000'000);
  AdvSignedDeviceIdentityHmac container;
  AdvSignedDeviceIdentity identity;
  AdvDeviceIdentity details;
  ASSERT_TRUE(container.ParseFromString(std::string(TextOf(endorsement.container))));
  ASSERT_TRUE(identity.ParseFromString(container.details()));
  ASSERT_TRUE(details.ParseFromString(identity.details()));
  EXPECT_TRUE(SameBytes(HmacSha256(secret, ViewOf(container.details())), ViewOf(container.hmac())));
  const std::uint8_t prefix[] = {6, 0};
  EXPECT_TRUE(Verify(phone.identity().public_key, Join({prefix, ViewOf(identity.details()), companion.public_key}),
                     ViewOf(identity.account_signature())));
  EXPECT_EQ(details.timestamp(), 1'790'000'000u);
  EXPECT_EQ(details.key_index(), 1u);
  EXPECT_EQ(phone.Endorse(companion.public_key, secret, AdvForgery::kNone, 0).key_index, 2u);
}

TEST_F(EndorsementTest, IsAnsweredByTheCompanionAlone) {
  const Endorsement endorsement = phone.Endorse(companion.public_key, secret, AdvForgery::kNone, 0);
  EXPECT_TRUE(phone.CheckReply(endorsement, companion.public_key, Reply(endorsement, companion)).ok());
  EXPECT_FALSE(phone.CheckReply(endorsement, companion.public_key, Reply(endorsement, NewKeyPair())).ok());
  EXPECT_FALSE(phone.CheckReply(endorsement, companion.public_key, RandomBytes(100)).ok());
  const Endorsement other = phone.Endorse(companion.public_key, secret, AdvForgery::kNone, 1);
  EXPECT_FALSE(phone.CheckReply(other, companion.public_key, Reply(endorsement, companion)).ok());
}

TEST(Code, AnswersTheVectorsCompanion) {
  const auto vectors = testing::ReadVectors("pair-code.json");
  const auto& companion = At(vectors, "companion");
  const auto answer = Phone::AnswerCode(TextAt(vectors, "code"), BytesAt(companion, "wrapped_companion_ephemeral_pub"));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->companion_ephemeral, KeyAt(At(companion, "ephemeral"), "public"));
  // What the companion reads out of the answer.
  const View wrapped(answer->wrapped);
  const Key key = Pbkdf2(TextAt(vectors, "code"), wrapped.first(32), 131'072);
  EXPECT_EQ(KeyFrom(AesCtr(key, wrapped.subspan(32, 16), wrapped.subspan(48))), answer->ephemeral.public_key);
}

TEST(Code, OpensTheBundleOfTheVector) {
  const auto vectors = testing::ReadVectors("pair-code.json");
  const auto& finish = At(vectors, "finish");
  const KeyPair primary = testing::PairAt(At(vectors, "primary"), "ephemeral");
  Phone phone(Options(), testing::PairAt(At(vectors, "primary"), "identity"));
  const CodeAnswer answer{.ephemeral = primary,
                          .companion_ephemeral = KeyAt(At(At(vectors, "companion"), "ephemeral"), "public"),
                          .wrapped = {}};
  const Key companion = KeyAt(At(finish, "companion_identity"), "public");
  const auto secret = phone.FinishCode(answer, companion, BytesAt(finish, "wrapped_key_bundle"));
  ASSERT_TRUE(secret.ok()) << secret.status();
  EXPECT_EQ(Hex(*secret), TextAt(finish, "adv_secret"));
  Bytes turned = BytesAt(finish, "wrapped_key_bundle");
  turned[60] ^= 1;
  EXPECT_FALSE(phone.FinishCode(answer, companion, turned).ok());
  EXPECT_FALSE(phone.FinishCode(answer, NewKeyPair().public_key, BytesAt(finish, "wrapped_key_bundle")).ok());
}

TEST(Code, RefusesWhatIsNoCode) {
  for (const char* code : {"", "ABCD-EFG", "ABCD-EFG0", "ABCD-EFGI", "ABCDEFGHJ"}) {
    EXPECT_FALSE(Phone::AnswerCode(code, Bytes(80)).ok()) << code;
  }
  EXPECT_FALSE(Phone::AnswerCode("ABCDEFGH", Bytes(79)).ok());
  EXPECT_TRUE(Phone::AnswerCode("abcd-efgh", Bytes(80)).ok());
}

}  // namespace
}  // namespace medidesk::whatsapp_sim
