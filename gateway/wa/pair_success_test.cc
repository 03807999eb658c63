#include "gateway/wa/pair_success.h"

#include <gtest/gtest.h>

#include "gateway/wa/key_derivation.h"
#include "gateway/wa/testing/sample_device.h"
#include "whatsapp/adv.pb.h"

namespace medidesk::gateway::wa {
namespace {

using testing::Hex;
using testing::HexMember;
using testing::ReadVectors;
using testing::ScriptedEntropy;
using Reason = PairRefused::Reason;

Node PairSuccess(ByteView container, std::string_view jid = "15550001111:7@s.whatsapp.net",
                 std::string_view lid = "123456789012345:7@lid") {
  return {"iq",
          {{"id", "p2"}, {"from", Jid::Server()}, {"type", "set"}},
          Nodes{{"pair-success",
                 {},
                 Nodes{{"device-identity", {}, ToBytes(container)},
                       {"device", {{"jid", jid}, {"lid", lid}}, {}},
                       {"platform", {{"name", "android"}}, {}},
                       {"biz", {{"name", "Clinic"}}, {}}}}}};
}

std::optional<Reason> RefusalOf(const Node& iq, const DeviceCredentials& device, std::string_view phone = "") {
  const auto outcome = CheckPairSuccess(iq, device, phone, ScriptedEntropy());
  const auto* refused = std::get_if<PairRefused>(&outcome);
  return refused == nullptr ? std::nullopt : std::optional(refused->reason);
}

class PairSuccessTest : public ::testing::Test {
 protected:
  const boost::json::value file_ = ReadVectors("adv.json");
  const boost::json::value& normal_ = file_.at("vectors").at(0);
  const DeviceCredentials device_ = testing::VectorDevice(normal_);
  const Bytes container_ = HexMember(normal_, "device_identity_container");
};

TEST_F(PairSuccessTest, AcceptsTheVectorsAndSignsThem) {
  for (const auto& vector : file_.at("vectors").as_array()) {
    const auto outcome = CheckPairSuccess(PairSuccess(HexMember(vector, "device_identity_container")),
                                          testing::VectorDevice(vector), "", ScriptedEntropy());
    const auto* accepted = std::get_if<PairAccepted>(&outcome);
    ASSERT_NE(accepted, nullptr);
    EXPECT_EQ(accepted->reply.Attr("type"), "result");
    EXPECT_EQ(accepted->reply.Attr("id"), "p2");
    const Node* identity_node = accepted->reply.Child("pair-device-sign")->Child("device-identity");
    ASSERT_NE(identity_node, nullptr);
    EXPECT_EQ(identity_node->Attr("key-index"), testing::Text(vector, "key_index_attr"));

    whatsapp::AdvSignedDeviceIdentity reply;
    whatsapp::AdvSignedDeviceIdentity expected;
    ASSERT_TRUE(reply.ParseFromString(std::string(identity_node->ContentText())));
    ASSERT_TRUE(expected.ParseFromString(ToString(HexMember(vector, "reply_device_identity"))));
    EXPECT_TRUE(Verify(HexMember(vector.at("device_identity_key"), "public"),
                       HexMember(vector, "device_signature_message"), AsBytes(reply.device_signature())));
    // The nonce is ours, all else is the vector's.
    reply.set_device_signature(expected.device_signature());
    EXPECT_EQ(reply.SerializeAsString(), expected.SerializeAsString());

    const LinkedAccount& account = *accepted->credentials.account;
    EXPECT_EQ(account.jid.ToString(), "15550001111:7@s.whatsapp.net");
    EXPECT_EQ(account.lid.ToString(), "123456789012345:7@lid");
    EXPECT_EQ(account.platform, "android");
    EXPECT_EQ(account.business_name, "Clinic");
    whatsapp::AdvSignedDeviceIdentity stored;
    ASSERT_TRUE(stored.ParseFromString(ToString(account.signed_identity)));
    EXPECT_EQ(stored.account_signature_key(), ToString(HexMember(vector.at("account_key"), "public")));
    EXPECT_EQ(stored.device_signature().size(), 64u);
    EXPECT_EQ(accepted->primary_identity.name, (RecordName{RecordKind::kIdentity, "123456789012345_1.0"}));
    EXPECT_EQ(Hex(accepted->primary_identity.value), testing::Text(vector.at("signal_identity"), "key"));
    EXPECT_TRUE(DeviceCredentials::Parse(accepted->credentials.Serialize()).ok());
  }
}

TEST_F(PairSuccessTest, RefusesAnotherSecret) {
  DeviceCredentials device = device_;
  device.adv_secret[31] ^= 1;
  EXPECT_EQ(RefusalOf(PairSuccess(container_), device), Reason::kBadMac);
  const auto outcome = CheckPairSuccess(PairSuccess(container_), device, "", ScriptedEntropy());
  const Node& reply = std::get<PairRefused>(outcome).reply;
  EXPECT_EQ(reply.Attr("type"), "error");
  EXPECT_EQ(reply.Child("error")->Attr("code"), "401");
  EXPECT_EQ(reply.Child("error")->Attr("text"), "hmac-mismatch");
}

TEST_F(PairSuccessTest, RefusesEveryChangedByte) {
  for (std::size_t i = 0; i < container_.size(); ++i) {
    Bytes changed = container_;
    changed[i] ^= 1;
    EXPECT_NE(RefusalOf(PairSuccess(changed), device_), std::nullopt) << "byte " << i;
  }
}

TEST_F(PairSuccessTest, RefusesEveryPrefix) {
  for (std::size_t size = 0; size < container_.size(); ++size) {
    EXPECT_NE(RefusalOf(PairSuccess(ByteView(container_).first(size)), device_), std::nullopt) << size;
  }
}

// The MAC is right: somebody who has seen the code, but does not own the account.
TEST_F(PairSuccessTest, RefusesAnAccountThatHasNotSigned) {
  const auto resealed = [&](const whatsapp::AdvSignedDeviceIdentity& identity) {
    whatsapp::AdvSignedDeviceIdentityHmac container;
    container.set_details(identity.SerializeAsString());
    container.set_hmac(ToString(HmacSha256(device_.adv_secret, AsBytes(container.details()))));
    return PairSuccess(AsBytes(container.SerializeAsString()));
  };
  whatsapp::AdvSignedDeviceIdentityHmac container;
  ASSERT_TRUE(container.ParseFromString(ToString(container_)));
  whatsapp::AdvSignedDeviceIdentity identity;
  ASSERT_TRUE(identity.ParseFromString(container.details()));
  EXPECT_EQ(RefusalOf(resealed(identity), device_), std::nullopt);

  auto forged = identity;
  (*forged.mutable_account_signature())[10] ^= 1;
  EXPECT_EQ(RefusalOf(resealed(forged), device_), Reason::kBadSignature);
  forged = identity;
  forged.set_account_signature("short");
  EXPECT_EQ(RefusalOf(resealed(forged), device_), Reason::kBadSignature);
  forged = identity;
  forged.set_account_signature_key(ToString(testing::SampleDevice().noise.public_key));
  EXPECT_EQ(RefusalOf(resealed(forged), device_), Reason::kBadSignature);
  forged = identity;
  forged.set_account_signature_key("short");
  EXPECT_EQ(RefusalOf(resealed(forged), device_), Reason::kMalformed);
  forged = identity;
  forged.clear_details();
  EXPECT_EQ(RefusalOf(resealed(forged), device_), Reason::kMalformed);

  DeviceCredentials other = device_;
  other.identity = testing::SampleDevice().identity;
  EXPECT_EQ(RefusalOf(resealed(identity), other), Reason::kBadSignature);
}

TEST_F(PairSuccessTest, RefusesAnotherPhoneThanTheOneExpected) {
  EXPECT_EQ(RefusalOf(PairSuccess(container_), device_, "15550001111"), std::nullopt);
  EXPECT_EQ(RefusalOf(PairSuccess(container_), device_, "15550002222"), Reason::kOtherPhone);
}

TEST_F(PairSuccessTest, RefusesAddressesThatAreNone) {
  for (const auto* jid : {"", "x", "15550001111@s.whatsapp.net", "15550001111:7@lid", "abc:7@s.whatsapp.net",
                          ":7@s.whatsapp.net", "1555000111122233:7@s.whatsapp.net"}) {
    EXPECT_EQ(RefusalOf(PairSuccess(container_, jid), device_), Reason::kMalformed) << jid;
  }
  EXPECT_EQ(RefusalOf(PairSuccess(container_, "15550001111:7@s.whatsapp.net", "1:7@g.us"), device_),
            Reason::kMalformed);
  EXPECT_EQ(RefusalOf(PairSuccess(container_, "15550001111:7@s.whatsapp.net", ""), device_), std::nullopt);
}

TEST_F(PairSuccessTest, RefusesOtherShapes) {
  EXPECT_EQ(RefusalOf(Node{"iq", {}, {}}, device_), Reason::kMalformed);
  EXPECT_EQ(RefusalOf(Node{"iq", {}, Nodes{{"pair-success", {}, {}}}}, device_), Reason::kMalformed);
  EXPECT_EQ(RefusalOf(Node{"iq", {}, Nodes{{"pair-success", {}, Nodes{{"device-identity", {}, {}}}}}}, device_),
            Reason::kMalformed);
}

}  // namespace
}  // namespace medidesk::gateway::wa
