#include <gtest/gtest.h>

#include "gateway/wa/base64.h"
#include "gateway/wa/key_derivation.h"
#include "gateway/wa/pairing_code.h"
#include "gateway/wa/passkey_assertion.h"
#include "gateway/wa/passkey_exchange.h"
#include "gateway/wa/testing/scripted_entropy.h"
#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa {
namespace {

using testing::Hex;
using testing::HexMember;
using testing::KeyMember;
using testing::PairMember;
using testing::Text;

class PasskeyTest : public ::testing::Test {
 protected:
  const boost::json::value file_ = testing::ReadVectors("passkey.json");
  const boost::json::value& example_ = file_.at("webauthn_example");
  const PasskeyOptions options_ = ParsePasskeyOptions(Text(example_, "request_options_json")).value();
};

TEST_F(PasskeyTest, AgreesAsEveryVector) {
  ASSERT_EQ(file_.at("vectors").as_array().size(), 5u);
  for (const auto& vector : file_.at("vectors").as_array()) {
    SCOPED_TRACE(Text(vector, "name"));
    const int type = static_cast<int>(vector.at("device_type").as_int64());
    const std::string ref = Text(vector, "ref");
    const KeyPair ephemeral = PairMember(vector, "companion_ephemeral");
    const Key32 nonce = KeyMember(vector, "companion_nonce");
    const Bytes prologue = PasskeyPrologue(ephemeral.public_key, type, ref, nonce);
    EXPECT_EQ(Hex(prologue), Text(vector, "prologue_payload"));
    if (const auto& handoff = vector.at("handoff"); !handoff.is_null()) {
      const Key32 key = PasskeyHandoffKey(KeyMember(handoff, "adv_secret_before"));
      EXPECT_EQ(Hex(key), Text(handoff, "hmac_key"));
      EXPECT_EQ(Hex(PasskeyHandoffProof(key, prologue)), Text(handoff, "pairing_handoff_proof"));
    }
    const auto primary = ParsePrimaryEphemeral(HexMember(vector, "primary_ephemeral_identity"));
    ASSERT_TRUE(primary.ok());
    const auto agreement = AgreeOnPasskey(ephemeral, nonce, *primary, type, ref);
    ASSERT_TRUE(agreement.ok());
    EXPECT_EQ(agreement->code, Text(vector, "code"));
    EXPECT_EQ(DisplayCode(agreement->code), Text(vector, "code_display"));
    EXPECT_EQ(Hex(agreement->key), Text(vector, "encryption_key"));
    EXPECT_EQ(
        Hex(PasskeyPairingRequest(agreement->key, KeyMember(vector.at("noise_key"), "public"),
                                  KeyMember(vector.at("identity_key"), "public"), KeyMember(vector, "adv_secret_new"),
                                  testing::ScriptedEntropy(HexMember(vector, "gcm_iv")))),
        Text(vector, "encrypted_pairing_request"));
  }
}

TEST_F(PasskeyTest, RefusesThePhonesPartsThatTheVectorsRefuse) {
  ASSERT_EQ(file_.at("must_reject").as_array().size(), 4u);
  const KeyPair ours = KeyPair::Generate(testing::ScriptedEntropy());
  for (const auto& reject : file_.at("must_reject").as_array()) {
    const auto primary = ParsePrimaryEphemeral(HexMember(reject, "hex"));
    EXPECT_FALSE(primary.ok() && AgreeOnPasskey(ours, Key32{}, *primary, 1, "ref").ok()) << Text(reject, "what");
  }
  EXPECT_FALSE(ParsePrimaryEphemeral(AsBytes("\xff\xff")).ok());
}

TEST_F(PasskeyTest, TakesTheExamplesAssertion) {
  EXPECT_EQ(options_.timeout, std::chrono::minutes(10));
  for (const auto* member : {"assertion_json", "assertion_json_without_user_handle"}) {
    const auto assertion = CheckPasskeyAssertion(Text(example_, member), options_);
    ASSERT_TRUE(assertion.ok()) << assertion.status();
    EXPECT_EQ(Hex(assertion->credential_id), Text(example_, "credential_id"));
    EXPECT_EQ(assertion->json, Text(example_, member));
  }
}

TEST_F(PasskeyTest, DropsWhatBrowsersAdd) {
  auto assertion = boost::json::parse(Text(example_, "assertion_json"));
  assertion.as_object()["authenticatorAttachment"] = "platform";
  assertion.as_object()["clientExtensionResults"] = boost::json::object();
  EXPECT_EQ(CheckPasskeyAssertion(boost::json::serialize(assertion), options_)->json, Text(example_, "assertion_json"));
}

TEST_F(PasskeyTest, RefusesOtherAssertions) {
  const auto good = boost::json::parse(Text(example_, "assertion_json"));
  const auto refused = [&](const boost::json::value& assertion) {
    return CheckPasskeyAssertion(boost::json::serialize(assertion), options_).status().code() ==
           absl::StatusCode::kInvalidArgument;
  };
  for (const auto* member : {"id", "rawId", "type", "response"}) {
    auto changed = good;
    changed.as_object().erase(member);
    EXPECT_TRUE(refused(changed)) << member;
  }
  for (const auto* member : {"clientDataJSON", "authenticatorData", "signature"}) {
    auto changed = good;
    changed.at("response").as_object().erase(member);
    EXPECT_TRUE(refused(changed)) << member;
    changed.at("response").as_object()[member] = "not+base64/url=";
    EXPECT_TRUE(refused(changed)) << member;
  }
  const auto with_client_data = [&](std::string_view type, std::string_view challenge, std::string_view origin) {
    auto changed = good;
    const boost::json::object data{{"type", type}, {"challenge", challenge}, {"origin", origin}};
    changed.at("response").as_object()["clientDataJSON"] = ToBase64Url(AsBytes(boost::json::serialize(data)));
    return changed;
  };
  EXPECT_FALSE(refused(with_client_data("webauthn.get", options_.challenge, "https://web.whatsapp.com")));
  EXPECT_TRUE(refused(with_client_data("webauthn.create", options_.challenge, "https://web.whatsapp.com")));
  EXPECT_TRUE(refused(with_client_data("webauthn.get", "AAAA", "https://web.whatsapp.com")));
  for (const auto* origin : {"http://web.whatsapp.com", "https://whatsapp.com.example.org", "https://evilwhatsapp.com",
                             "https://example.org/.whatsapp.com", ""}) {
    EXPECT_TRUE(refused(with_client_data("webauthn.get", options_.challenge, origin))) << origin;
  }
  const auto with_flags = [&](std::uint8_t flags) {
    auto changed = good;
    Bytes data = HexMember(example_, "authenticator_data");
    data[32] = flags;
    changed.at("response").as_object()["authenticatorData"] = ToBase64Url(data);
    return changed;
  };
  EXPECT_FALSE(refused(with_flags(0x05)));
  EXPECT_TRUE(refused(with_flags(0x01)));
  EXPECT_TRUE(refused(with_flags(0x04)));
  EXPECT_FALSE(CheckPasskeyAssertion("", options_).ok());
  EXPECT_FALSE(CheckPasskeyAssertion(std::string(20'000, '['), options_).ok());
  EXPECT_FALSE(CheckPasskeyAssertion("[]", options_).ok());
}

TEST_F(PasskeyTest, ReadsOptionsWithCare) {
  EXPECT_FALSE(ParsePasskeyOptions("").ok());
  EXPECT_FALSE(ParsePasskeyOptions("{}").ok());
  EXPECT_FALSE(ParsePasskeyOptions(R"({"challenge":"a+b"})").ok());
  EXPECT_EQ(ParsePasskeyOptions(R"({"challenge":"AAAA","timeout":1})")->timeout, std::chrono::minutes(10));
  EXPECT_EQ(ParsePasskeyOptions(R"({"challenge":"AAAA","timeout":60000})")->timeout, std::chrono::minutes(1));
}

}  // namespace
}  // namespace medidesk::gateway::wa
