#include "tests/sim/whatsapp/passkey.h"

#include <gtest/gtest.h>

#include "tests/sim/whatsapp/crypto.h"
#include "tests/sim/whatsapp/testing/vectors.h"
#include "tests/sim/whatsapp/wire.pb.h"

namespace medidesk::whatsapp_sim {
namespace {

using testing::At;
using testing::BytesAt;
using testing::PairAt;
using testing::TextAt;

std::string ChallengeOf(const std::string& options) { return TextAt(boost::json::parse(options), "challenge"); }
Bytes CredentialId(const PasskeyCredential& credential, const std::string& options) {
  std::string id = TextAt(boost::json::parse(credential.Assert(options).value()), "rawId");
  for (char& c : id) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (id.size() % 4 != 0) id.push_back('=');
  return FromBase64(id).value();
}

TEST(Passkey, PlaysEveryVectorToItsEnd) {
  const auto vectors = testing::ReadVectors("passkey.json");
  for (const auto& vector : At(vectors, "vectors").as_array()) {
    const std::string name = TextAt(vector, "name");
    PasskeyCredential credential;
    PasskeyPairing pairing(testing::KeyAt(At(vector, "handoff").is_object() ? At(vector, "handoff") : vector,
                                          At(vector, "handoff").is_object() ? "adv_secret_before" : "adv_secret_new"),
                           TextAt(vector, "ref"), PairAt(vector, "primary_ephemeral"),
                           testing::KeyAt(vector, "primary_nonce"));
    const std::string assertion = credential.Assert(pairing.options()).value();
    const Bytes id = CredentialId(credential, pairing.options());
    Bytes proof;
    if (At(vector, "handoff").is_object()) proof = BytesAt(At(vector, "handoff"), "pairing_handoff_proof");
    const absl::Status prologue = pairing.OnPrologue(credential, id, assertion, BytesAt(vector, "prologue_payload"),
                                                     proof.empty() ? std::nullopt : std::optional<View>(proof));
    ASSERT_TRUE(prologue.ok()) << name << ": " << prologue;
    EXPECT_EQ(Hex(pairing.PrimaryIdentity()), TextAt(vector, "primary_ephemeral_identity"));
    EXPECT_EQ(pairing.OnNonce(BytesAt(vector, "companion_nonce")).value(), TextAt(vector, "code_display"));
    const auto result = pairing.OnRequest(BytesAt(vector, "encrypted_pairing_request"));
    ASSERT_TRUE(result.ok()) << name << ": " << result.status();
    EXPECT_EQ(result->noise_key, PairAt(vector, "noise_key").public_key);
    EXPECT_EQ(result->identity, PairAt(vector, "identity_key").public_key);
    EXPECT_EQ(Hex(result->adv_secret), TextAt(vector, "adv_secret_new"));
  }
}

TEST(Passkey, ChecksWhoSignedAndWhat) {
  PasskeyCredential credential, other;
  PasskeyPairing pairing(Key{1}, "2@ref"), another(Key{1}, "2@ref");
  const std::string assertion = credential.Assert(pairing.options()).value();
  const Bytes id = CredentialId(credential, pairing.options());
  EXPECT_TRUE(credential.Check(id, assertion, ChallengeOf(pairing.options())).ok());
  EXPECT_FALSE(credential.Check(id, assertion, ChallengeOf(another.options())).ok());
  EXPECT_FALSE(other.Check(CredentialId(other, pairing.options()), assertion, ChallengeOf(pairing.options())).ok());
  EXPECT_FALSE(credential.Check(id, "{}", ChallengeOf(pairing.options())).ok());
  EXPECT_FALSE(credential.Assert(R"({"rpId":"example.com","challenge":"AA"})").ok());
}

TEST(Passkey, TakesNoStepBeforeItsTurnAndNoFalseOpening) {
  PasskeyPairing pairing(Key{1}, "2@ref");
  EXPECT_FALSE(pairing.OnNonce(Bytes(32)).ok());
  EXPECT_FALSE(pairing.OnRequest(Bytes(134)).ok());
  const auto vectors = testing::ReadVectors("passkey.json");
  const auto& vector = At(vectors, "vectors").as_array()[0];
  PasskeyCredential credential;
  PasskeyPairing begun(testing::KeyAt(At(vector, "handoff"), "adv_secret_before"), TextAt(vector, "ref"));
  const Bytes id = CredentialId(credential, begun.options());
  const Bytes false_proof(32);
  EXPECT_FALSE(begun
                   .OnPrologue(credential, id, credential.Assert(begun.options()).value(),
                               BytesAt(vector, "prologue_payload"), View(false_proof))
                   .ok());
  ASSERT_TRUE(begun
                  .OnPrologue(credential, id, credential.Assert(begun.options()).value(),
                              BytesAt(vector, "prologue_payload"), std::nullopt)
                  .ok());
  EXPECT_FALSE(begun.OnNonce(Bytes(32)).ok());
  EXPECT_TRUE(begun.OnNonce(BytesAt(vector, "companion_nonce")).ok());
  EXPECT_FALSE(begun.OnRequest(BytesAt(vector, "encrypted_pairing_request")).ok()) << "for another ephemeral key";
}

}  // namespace
}  // namespace medidesk::whatsapp_sim
