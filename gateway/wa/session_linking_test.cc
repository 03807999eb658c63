#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/wa/base64.h"
#include "gateway/wa/passkey_exchange.h"
#include "gateway/wa/session.h"
#include "gateway/wa/testing/fake_phone.h"
#include "gateway/wa/testing/fake_whatsapp.h"
#include "gateway/wa/testing/vectors.h"
#include "whatsapp/client_payload.pb.h"

namespace medidesk::gateway::wa {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::FakePhone;
using testing::FakeWhatsApp;

class SessionLinkingTest : public ::testing::Test {
 protected:
  void Start(LinkOptions options = {}) {
    server_.session = Session::Link(FakeWhatsApp::Options(), std::move(options), testing::ScriptedEntropy()).value();
    server_.Run(server_.session->Start(server_.now));
    ASSERT_TRUE(server_.Handshake());
    whatsapp::ClientPayload payload;
    ASSERT_TRUE(payload.ParseFromString(ToString(server_.client_payload)));
    identity_ = ToKey(AsBytes(payload.device_pairing_data().identity())).value();
  }
  void OfferRefs(std::size_t count = 6) {
    Nodes refs;
    for (std::size_t i = 0; i < count; ++i) refs.push_back({"ref", {}, ToBytes("2@ref" + std::to_string(i))});
    server_.Say({"iq",
                 {{"from", Jid::Server()}, {"type", "set"}, {"xmlns", "md"}, {"id", "refs"}},
                 Nodes{{"pair-device", {}, std::move(refs)}}});
  }
  // Scans the code on the screen: the ADV secret in it.
  void Scan() {
    OfferRefs();
    const auto code = server_.TakeEvent<QrCodeShown>();
    ASSERT_TRUE(code.has_value());
    std::string text = code->text;
    text = text.substr(0, text.rfind(','));
    std::string secret = text.substr(text.rfind(',') + 1);
    std::replace(secret.begin(), secret.end(), '+', '-');
    std::replace(secret.begin(), secret.end(), '/', '_');
    std::erase(secret, '=');
    adv_secret_ = ToKey(FromBase64Url(secret).value()).value();
  }
  void ExpectFailed(LinkFailure reason) {
    const auto failed = server_.TakeEvent<LinkFailed>();
    ASSERT_TRUE(failed.has_value());
    EXPECT_EQ(failed->reason, reason);
    EXPECT_FALSE(failed->advice.empty());
    EXPECT_TRUE(server_.session->idle());
    EXPECT_EQ(server_.connection, 0u);
    EXPECT_EQ(server_.records.count({1, "self"}), 0u) << "keys of a link that failed were stored";
    EXPECT_FALSE(server_.session->credentials().linked());
    server_.Advance(minutes(60));
    EXPECT_EQ(server_.connects, 1);
  }

  FakeWhatsApp server_;
  FakePhone phone_;
  Key32 identity_{};
  Key32 adv_secret_{};
};

TEST_F(SessionLinkingTest, LinksByQrAndLogsIn) {
  Start();
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kLinking);
  Scan();
  EXPECT_EQ(server_.Take("iq")->Attr("id"), "refs");
  server_.auto_commit = false;
  server_.Say(phone_.PairSuccess(identity_, adv_secret_));
  ASSERT_EQ(server_.commits.size(), 1u);
  EXPECT_EQ(server_.commits[0].linked->jid.ToString(), "15550001111:7@s.whatsapp.net");
  EXPECT_EQ(server_.commits[0].linked->platform, "smba");
  EXPECT_FALSE(server_.Take("iq", "pair-device-sign").has_value()) << "answered before the link was stored";
  server_.auto_commit = true;
  server_.Run({});
  EXPECT_TRUE(server_.Take("iq", "pair-device-sign").has_value());
  EXPECT_TRUE(DeviceCredentials::Parse(server_.records[{1, "self"}])->linked());
  EXPECT_EQ(server_.records.count({5, "1"}), 1u);
  EXPECT_EQ(server_.records.count({3, "123456789012345_1.0"}), 1u);

  server_.Say({"stream:error", {{"code", "515"}}, {}});
  EXPECT_EQ(server_.connects, 2);
  ASSERT_TRUE(server_.Handshake());
  whatsapp::ClientPayload payload;
  ASSERT_TRUE(payload.ParseFromString(ToString(server_.client_payload)));
  EXPECT_EQ(payload.username(), 15550001111u);
  server_.Say({"success", {{"t", "3600"}}, {}});
  server_.Answer(*server_.Take("iq", "count"));
  server_.Answer(*server_.Take("iq", "list"));
  EXPECT_FALSE(server_.TakeEvent<Linked>().has_value());
  server_.GoActive();
  EXPECT_EQ(server_.TakeEvent<Linked>()->account.business_name, "Clinic");
  EXPECT_FALSE(server_.TakeEvent<LinkFailed>().has_value());
}

TEST_F(SessionLinkingTest, RestartsWhateverFollowsTheSignedAnswer) {
  for (int way = 0; way < 3; ++way) {
    server_ = FakeWhatsApp();
    Start();
    Scan();
    server_.Say(phone_.PairSuccess(identity_, adv_secret_));
    if (way == 0) server_.Drop();
    if (way == 1) server_.Say({"stream:error", {{"code", "503"}}, {}});
    if (way == 2) server_.Advance(seconds(10));
    EXPECT_EQ(server_.connects, 2) << way;
    server_.LogIn();
    EXPECT_TRUE(server_.TakeEvent<Linked>().has_value());
  }
}

TEST_F(SessionLinkingTest, LogsInWithALinkThatWasStoredAsTheConnectionBroke) {
  Start();
  Scan();
  server_.auto_commit = false;
  server_.Say(phone_.PairSuccess(identity_, adv_secret_));
  server_.Drop();
  EXPECT_EQ(server_.connects, 1);
  server_.auto_commit = true;
  server_.Run({});
  EXPECT_EQ(server_.connects, 2);
  ASSERT_TRUE(server_.Handshake());
  server_.Say({"failure", {{"reason", "401"}}, {}});
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kNeedsLink);
  EXPECT_EQ(server_.TakeEvent<LinkFailed>()->server_code, 401);
}

TEST_F(SessionLinkingTest, ShowsEachCodeInItsTimeAndThenExpires) {
  Start();
  OfferRefs(3);
  EXPECT_EQ(server_.TakeEvent<QrCodeShown>()->index, 1);
  for (int i = 0; i < 2; ++i) {
    server_.Advance(seconds(29));
    server_.Say({"ib", {}, {}});
  }
  EXPECT_FALSE(server_.TakeEvent<QrCodeShown>().has_value());
  server_.Advance(seconds(2));
  const auto second = server_.TakeEvent<QrCodeShown>();
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->index, 2);
  EXPECT_EQ(second->count, 3);
  server_.Say({"ib", {}, Nodes{{"downgrade_webclient", {}, {}}}});
  server_.Say({"ib", {{"from", Jid::Server()}}, Nodes{{"downgrade_webclient", {}, {}}}});
  server_.Advance(seconds(20));
  EXPECT_TRUE(server_.TakeEvent<QrCodeShown>().has_value());
  server_.Say({"ib", {}, {}});
  server_.Advance(seconds(20));
  ExpectFailed(LinkFailure::kExpired);
}

TEST_F(SessionLinkingTest, RefusesForgedAnswersAndStoresNothing) {
  const KeyPair other = testing::FixedPair(99);
  for (int what = 0; what < 2; ++what) {
    server_ = FakeWhatsApp();
    Start();
    Scan();
    if (what == 0) {
      Key32 wrong = adv_secret_;
      wrong[0] ^= 1;
      server_.Say(phone_.PairSuccess(identity_, wrong));
    } else {
      server_.Say(phone_.PairSuccess(identity_, adv_secret_, &other));
    }
    EXPECT_TRUE(server_.all_commits.empty());
    const auto refusal = server_.Take("iq", "error");
    ASSERT_TRUE(refusal.has_value());
    EXPECT_EQ(refusal->Child("error")->Attr("text"), what == 0 ? "hmac-mismatch" : "signature-mismatch");
    ExpectFailed(LinkFailure::kBadSignature);
  }
}

TEST_F(SessionLinkingTest, RefusesAnotherPhone) {
  Start({.phone = "15550002222"});
  Scan();
  server_.Say(phone_.PairSuccess(identity_, adv_secret_));
  ExpectFailed(LinkFailure::kOtherPhone);
}

TEST_F(SessionLinkingTest, TellsWhyTheStoreRefused) {
  for (const auto& [status, reason] : {std::pair(absl::AlreadyExistsError(""), LinkFailure::kLinkedElsewhere),
                                       std::pair(absl::FailedPreconditionError(""), LinkFailure::kStore)}) {
    server_ = FakeWhatsApp();
    Start();
    Scan();
    server_.commit_status = status;
    server_.Say(phone_.PairSuccess(identity_, adv_secret_));
    EXPECT_FALSE(server_.Take("iq", "pair-device-sign").has_value());
    EXPECT_EQ(server_.Take("iq", "error")->Child("error")->Attr("code"), "500");
    ExpectFailed(reason);
  }
}

TEST_F(SessionLinkingTest, FailsByWhatEndedTheConnection) {
  const std::pair<Node, LinkFailure> cases[] = {
      {{"failure", {{"reason", "405"}}, {}}, LinkFailure::kVersionRefused},
      {{"failure", {{"reason", "409"}}, {}}, LinkFailure::kServer},
      {{"stream:error", {{"code", "429"}}, {}}, LinkFailure::kRateLimited},
      {{"stream:error", {{"code", "515"}}, {}}, LinkFailure::kDisconnected},
  };
  for (const auto& [node, reason] : cases) {
    server_ = FakeWhatsApp();
    Start();
    OfferRefs();
    server_.Say(node);
    ExpectFailed(reason);
  }
  server_ = FakeWhatsApp();
  Start();
  server_.Drop();
  ExpectFailed(LinkFailure::kDisconnected);
  server_ = FakeWhatsApp();
  Start();
  server_.Advance(seconds(30));
  ExpectFailed(LinkFailure::kDisconnected);
}

TEST_F(SessionLinkingTest, ShowsNothingToAServerThatIsNotWhatsApp) {
  server_.session = Session::Link(FakeWhatsApp::Options(), {}, testing::ScriptedEntropy()).value();
  server_.Run(server_.session->Start(server_.now));
  testing::ChainSpec forged;
  forged.root = testing::FixedPair(77);
  EXPECT_FALSE(server_.Handshake(forged));
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kUntrustedServer);
  ExpectFailed(LinkFailure::kUntrustedServer);
}

TEST_F(SessionLinkingTest, LinksByCode) {
  Start({.phone = "15550001111", .by_code = true});
  OfferRefs();
  const auto hello = server_.Take("iq", "link_code_companion_reg");
  ASSERT_TRUE(hello.has_value());
  const Node& reg = *hello->Child("link_code_companion_reg");
  EXPECT_FALSE(server_.TakeEvent<PairingCodeShown>().has_value());
  server_.Answer(*hello, {{"link_code_companion_reg", {}, Nodes{{"link_code_pairing_ref", {}, ToBytes("ref!")}}}});
  std::string code = server_.TakeEvent<PairingCodeShown>()->code;
  ASSERT_EQ(code.size(), 9u);
  std::erase(code, '-');

  // Without keys first, then for another attempt: neither ends this one.
  server_.Say({"notification",
               {{"from", Jid::Server()}, {"type", "link_code_companion_reg"}, {"id", "x"}},
               Nodes{{"link_code_companion_reg", {}, {}}}});
  EXPECT_EQ(server_.Take("ack")->Attr("id"), "x");
  server_.Say(phone_.CodeTyped(code, AsBytes("other")));
  EXPECT_TRUE(server_.all_commits.empty());

  server_.auto_commit = false;
  server_.Say(phone_.CodeTyped(code, AsBytes("ref!")));
  ASSERT_EQ(server_.commits.size(), 1u);
  EXPECT_EQ(server_.records.count({1, "linking"}), 1u);
  EXPECT_FALSE(server_.Take("iq", "link_code_companion_reg").has_value()) << "sent before the secret was stored";
  server_.auto_commit = true;
  server_.Run({});
  const auto finish = server_.Take("iq", "link_code_companion_reg");
  ASSERT_TRUE(finish.has_value());
  const ByteView bundle =
      finish->Child("link_code_companion_reg")->Child("link_code_pairing_wrapped_key_bundle")->ContentBytes();
  ASSERT_EQ(bundle.size(), 156u);
  server_.Answer(*finish);
  const ByteView wrapped = reg.Child("link_code_pairing_wrapped_companion_ephemeral_pub")->ContentBytes();
  server_.Say(phone_.PairSuccess(identity_, phone_.AdvSecretOf(bundle, code, wrapped)));
  EXPECT_EQ(server_.records.count({1, "linking"}), 0u);
  EXPECT_EQ(server_.records.count({1, "self"}), 1u);
  ASSERT_TRUE(server_.Take("iq", "pair-device-sign").has_value());
}

TEST_F(SessionLinkingTest, GivesUpACodeThatNobodyTypes) {
  Start({.phone = "15550001111", .by_code = true});
  OfferRefs();
  server_.Answer(*server_.Take("iq", "link_code_companion_reg"),
                 {{"link_code_companion_reg", {}, Nodes{{"link_code_pairing_ref", {}, ToBytes("ref!")}}}});
  for (int i = 0; i < 16; ++i) {
    server_.Say({"ib", {}, {}});
    server_.Advance(seconds(10));
  }
  ExpectFailed(LinkFailure::kExpired);
}

TEST_F(SessionLinkingTest, SaysWhenWhatsAppWantsFewerCodes) {
  Start({.phone = "15550001111", .by_code = true});
  OfferRefs();
  server_.Refuse(*server_.Take("iq", "link_code_companion_reg"), "429");
  ExpectFailed(LinkFailure::kRateLimited);
}

TEST_F(SessionLinkingTest, WantsANumberForACode) {
  for (const auto* phone : {"", "+15550001111", "0155", "abc"}) {
    EXPECT_FALSE(Session::Link({}, {.phone = phone, .by_code = true}, testing::ScriptedEntropy()).ok()) << phone;
  }
}

// ---- Past a passkey ----

class SessionPasskeyTest : public SessionLinkingTest {
 protected:
  const boost::json::value file_ = testing::ReadVectors("passkey.json");
  const boost::json::value& example_ = file_.at("webauthn_example");

  void AskForPasskey(bool with_options = true) {
    Node request{"notification", {{"from", Jid::Server()}, {"type", "passkey_prologue_request"}, {"id", "pk"}}, {}};
    if (with_options) {
      request.content = Nodes{{"passkey_request_options", {}, testing::Text(example_, "request_options_json")}};
    }
    server_.Say(request);
  }
  void Submit() {
    const auto actions = server_.session->SubmitPasskey(server_.now, testing::Text(example_, "assertion_json"));
    ASSERT_TRUE(actions.ok()) << actions.status();
    server_.Run(*actions);
    server_.Answer(*server_.Take("iq", "ref"), {{"ref", {}, std::string("the ref")}});
  }
  // The phone's part; the code it shows.
  std::string GoOn(const Node& prologue) {
    whatsapp::ProloguePayload payload;
    EXPECT_TRUE(payload.ParseFromString(
        std::string(prologue.Child("passkey_prologue")->Child("prologue_payload")->ContentText())));
    whatsapp::CompanionEphemeralIdentity companion;
    EXPECT_TRUE(companion.ParseFromString(payload.companion_ephemeral_identity()));
    EXPECT_EQ(companion.ref(), "the ref");
    whatsapp::PrimaryEphemeralIdentity primary;
    primary.set_public_key(ToString(phone_.ephemeral.public_key));
    primary.set_nonce(std::string(32, 'n'));
    server_.Say({"notification",
                 {{"from", Jid::Server()}, {"type", "crsc_continuation"}, {"id", "go"}},
                 Nodes{{"primary_ephemeral_identity", {}, ToBytes(primary.SerializeAsString())}}});
    const auto nonce_iq = server_.Take("iq", "companion_nonce");
    const Key32 nonce = ToKey(nonce_iq->Child("companion_nonce")->ContentBytes()).value();
    EXPECT_EQ(payload.commitment().hash(),
              ToString(Sha256(Join({AsBytes(payload.companion_ephemeral_identity()), nonce}))));
    const KeyPair as_companion = phone_.ephemeral;
    const PrimaryEphemeral theirs{.public_key = ToKey(AsBytes(companion.public_key())).value(),
                                  .nonce = ToKey(AsBytes(primary.nonce())).value()};
    // The same agreement from the other end, but for the code, which is over the phone's key.
    pairing_key_ = AgreeOnPasskey(as_companion, nonce, theirs, 1, "the ref")->key;
    server_.Answer(*nonce_iq);
    return server_.TakeEvent<PasskeyCodeShown>()->code;
  }
  Key32 NewSecret() {
    const auto request = server_.Take("iq", "encrypted_pairing_request");
    whatsapp::EncryptedPairingRequest encrypted;
    EXPECT_TRUE(encrypted.ParseFromString(std::string(request->Child("encrypted_pairing_request")->ContentText())));
    whatsapp::PairingRequest opened;
    EXPECT_TRUE(opened.ParseFromString(ToString(
        OpenGcm(pairing_key_, GcmNonce(AsBytes(encrypted.iv())), AsBytes(encrypted.encrypted_payload())).value())));
    EXPECT_EQ(opened.companion_identity_key(), ToString(identity_));
    return ToKey(AsBytes(opened.adv_secret())).value();
  }

  Key32 pairing_key_{};
};

TEST_F(SessionPasskeyTest, LinksPastAPasskey) {
  Start();
  Scan();
  AskForPasskey();
  EXPECT_EQ(server_.Take("ack")->Attr("type"), "passkey_prologue_request");
  EXPECT_EQ(server_.TakeEvent<PasskeyRequested>()->options_json, testing::Text(example_, "request_options_json"));
  // The codes are off the screen, and their end does not end the attempt.
  for (int i = 0; i < 20; ++i) {
    server_.Say({"ib", {}, {}});
    server_.Advance(seconds(10));
  }
  EXPECT_FALSE(server_.TakeEvent<QrCodeShown>().has_value());
  EXPECT_EQ(server_.session->SubmitPasskey(server_.now, "{}").status().code(), absl::StatusCode::kInvalidArgument);
  Submit();
  const auto prologue = server_.Take("iq", "passkey_prologue");
  ASSERT_TRUE(prologue.has_value());
  const Node& parts = *prologue->Child("passkey_prologue");
  EXPECT_EQ(parts.Child("credential_id")->ContentText(), AsText(testing::HexMember(example_, "credential_id")));
  const Key32 proof =
      PasskeyHandoffProof(PasskeyHandoffKey(adv_secret_), parts.Child("prologue_payload")->ContentBytes());
  ASSERT_NE(parts.Child("pairing_handoff_proof"), nullptr);
  EXPECT_EQ(parts.Child("pairing_handoff_proof")->ContentText(), AsText(proof));
  server_.Answer(*prologue);
  EXPECT_EQ(GoOn(*prologue).size(), 9u);
  const Key32 secret = NewSecret();
  EXPECT_NE(secret, adv_secret_);
  server_.Say(phone_.PairSuccess(identity_, secret));
  ASSERT_TRUE(server_.Take("iq", "pair-device-sign").has_value());
  EXPECT_EQ(DeviceCredentials::Parse(server_.records[{1, "self"}])->adv_secret, secret);
}

TEST_F(SessionPasskeyTest, FetchesOptionsThatDidNotCome) {
  Start();
  Scan();
  AskForPasskey(/*with_options=*/false);
  const auto fetch = server_.Take("iq", "passkey_request_options");
  ASSERT_TRUE(fetch.has_value());
  EXPECT_EQ(server_.session->SubmitPasskey(server_.now, "{}").status().code(), absl::StatusCode::kFailedPrecondition);
  server_.Answer(*fetch, {{"passkey_request_options", {}, testing::Text(example_, "request_options_json")}});
  EXPECT_TRUE(server_.TakeEvent<PasskeyRequested>().has_value());
}

TEST_F(SessionPasskeyTest, WaitsForThePersonWhereItMust) {
  for (const bool matches : {true, false}) {
    server_ = FakeWhatsApp();
    Start({.require_code_match = true});
    Scan();
    AskForPasskey();
    EXPECT_FALSE(server_.session->ConfirmPasskeyCode(server_.now, true).ok());
    Submit();
    const auto prologue = server_.Take("iq", "passkey_prologue");
    server_.Answer(*prologue);
    GoOn(*prologue);
    EXPECT_FALSE(server_.Take("iq", "encrypted_pairing_request").has_value());
    server_.Run(server_.session->ConfirmPasskeyCode(server_.now, matches).value());
    if (matches) {
      NewSecret();
    } else {
      ExpectFailed(LinkFailure::kCodeMismatch);
    }
  }
}

TEST_F(SessionPasskeyTest, GivesUpOnAPhoneThatDoesNotGoOn) {
  Start();
  Scan();
  AskForPasskey();
  Submit();
  server_.Answer(*server_.Take("iq", "passkey_prologue"));
  for (int i = 0; i < 12; ++i) {
    server_.Say({"ib", {}, {}});
    server_.Advance(seconds(10));
  }
  ExpectFailed(LinkFailure::kPhoneSilent);
}

TEST_F(SessionPasskeyTest, SaysWhatTheServerRefused) {
  Start();
  Scan();
  AskForPasskey();
  Submit();
  server_.Refuse(*server_.Take("iq", "passkey_prologue"), "403");
  const auto failed = server_.TakeEvent<LinkFailed>();
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->reason, LinkFailure::kPasskey);
  EXPECT_EQ(failed->server_code, 403);
  EXPECT_EQ(failed->retry_at, server_.now.wall + seconds(60));
}

TEST_F(SessionPasskeyTest, IgnoresBothNotificationsOutOfTurnOrFromOthers) {
  Start();
  AskForPasskey();
  EXPECT_FALSE(server_.TakeEvent<PasskeyRequested>().has_value());
  Scan();
  server_.Say({"notification", {{"from", Jid::Server()}, {"type", "crsc_continuation"}, {"id", "go"}}, {}});
  server_.Say(
      {"notification", {{"from", *Jid::Parse("1@lid")}, {"type", "passkey_prologue_request"}, {"id", "pk"}}, {}});
  EXPECT_FALSE(server_.TakeEvent<PasskeyRequested>().has_value());
  EXPECT_FALSE(server_.TakeEvent<LinkFailed>().has_value());
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kLinking);
}

}  // namespace
}  // namespace medidesk::gateway::wa
