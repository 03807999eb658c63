#include "gateway/wa/signal/signal_sessions.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>

#include "gateway/wa/signal/testing/signal_peer.h"

namespace medidesk::gateway::wa {
namespace {

using ::testing::IsEmpty;
using testing::SignalPeer;

const Jid kClinic = *Jid::Parse("111111111111111:7@lid");
const Jid kPatient = *Jid::Parse("222222222222222@lid");

class SignalSessionsTest : public ::testing::Test {
 protected:
  static Bytes Say(std::string_view text) { return ToBytes(text); }
  // The patient writes first and is answered, so that both sides have a session.
  void Introduce() {
    ASSERT_TRUE(patient.Start(kClinic, clinic.Bundle()).ok());
    ASSERT_EQ(clinic.Decrypt(kPatient, patient.Encrypt(kClinic, Say("hello"))).outcome, DecryptOutcome::kDecrypted);
    ASSERT_EQ(patient.Decrypt(kClinic, clinic.Encrypt(kPatient, Say("hello"))).outcome, DecryptOutcome::kDecrypted);
  }

  SignalPeer clinic{kClinic, 1};
  SignalPeer patient{kPatient, 99};
};

TEST_F(SignalSessionsTest, TalksBothWays) {
  Introduce();
  for (int i = 0; i < 20; ++i) {
    SignalPeer& from = i % 3 == 0 ? clinic : patient;
    SignalPeer& to = i % 3 == 0 ? patient : clinic;
    const Encrypted message = from.Encrypt(to.address, Say(std::to_string(i)));
    EXPECT_FALSE(message.pre_key);
    const Decrypted read = to.Decrypt(from.address, message);
    EXPECT_EQ(read.outcome, DecryptOutcome::kDecrypted);
    EXPECT_EQ(read.plaintext, Say(std::to_string(i)));
  }
}

TEST_F(SignalSessionsTest, SaysPreKeyUntilThePeerHasAnswered) {
  ASSERT_TRUE(patient.Start(kClinic, clinic.Bundle()).ok());
  EXPECT_TRUE(patient.Encrypt(kClinic, Say("a")).pre_key);
  EXPECT_TRUE(patient.Encrypt(kClinic, Say("b")).pre_key);
}

TEST_F(SignalSessionsTest, UsesAOneTimeKeyUp) {
  const PreKeyBundle bundle = clinic.Bundle();
  ASSERT_TRUE(patient.Start(kClinic, bundle).ok());
  const Encrypted first = patient.Encrypt(kClinic, Say("a"));
  EXPECT_EQ(clinic.Decrypt(kPatient, first).outcome, DecryptOutcome::kDecrypted);
  EXPECT_EQ(clinic.workspace.Get(PreKeyName(bundle.one_time->id)), nullptr);
  EXPECT_EQ(clinic.Decrypt(kPatient, first).outcome, DecryptOutcome::kDuplicate);
  SignalPeer other(*Jid::Parse("333333333333333@lid"), 50);
  ASSERT_TRUE(other.Start(kClinic, bundle).ok());
  EXPECT_EQ(clinic.Decrypt(other.address, other.Encrypt(kClinic, Say("b"))).outcome, DecryptOutcome::kUnknownKey);
}

TEST_F(SignalSessionsTest, NamesTheRecordsOfAMessageBeforehand) {
  const PreKeyBundle bundle = clinic.Bundle();
  ASSERT_TRUE(patient.Start(kClinic, bundle).ok());
  const Encrypted message = patient.Encrypt(kClinic, Say("a"));
  const auto names = clinic.signal.NamesOf(kPatient, true, message.bytes);
  EXPECT_THAT(names, ::testing::ElementsAre(SignalSessions::SessionName(kPatient),
                                            SignalSessions::IdentityName(kPatient), PreKeyName(bundle.one_time->id),
                                            RecordName{.kind = RecordKind::kSignedPreKey, .key = "1"}));
  EXPECT_EQ(clinic.signal.NamesOf(kPatient, true, Say("x")).size(), 2u);
}

TEST_F(SignalSessionsTest, AsksForWhatIsNotLoaded) {
  ASSERT_TRUE(patient.Start(kClinic, clinic.Bundle()).ok());
  const Encrypted message = patient.Encrypt(kClinic, Say("a"));
  Workspace empty;
  SignalSessions signal(empty, clinic.keys.identity, clinic.keys.registration_id, clinic.entropy);
  empty.Begin();
  EXPECT_EQ(signal.Decrypt(kPatient, true, message.bytes).outcome, DecryptOutcome::kMissing);
  EXPECT_FALSE(empty.TakeMissing().empty());
  EXPECT_EQ(signal.Encrypt(kPatient, Say("a")).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(SignalSessionsTest, AForgedFirstMessageLeavesTheIdentityAlone) {
  Introduce();
  SignalPeer forger(kPatient, 7);
  ASSERT_TRUE(forger.Start(kClinic, clinic.Bundle()).ok());
  Encrypted forged = forger.Encrypt(kClinic, Say("I am the patient"));
  forged.bytes[forged.bytes.size() - 30] ^= 1;  // inside the message that is authenticated
  const Bytes identity = *clinic.workspace.Get(SignalSessions::IdentityName(kPatient));
  EXPECT_NE(clinic.Decrypt(kPatient, forged).outcome, DecryptOutcome::kDecrypted);
  EXPECT_EQ(*clinic.workspace.Get(SignalSessions::IdentityName(kPatient)), identity);
  EXPECT_EQ(patient.Decrypt(kClinic, clinic.Encrypt(kPatient, Say("still you"))).plaintext, Say("still you"));
}

TEST_F(SignalSessionsTest, AReinstalledPeerIsUnderstoodAndAnswered) {
  Introduce();
  SignalPeer again(kPatient, 31);
  ASSERT_TRUE(again.Start(kClinic, clinic.Bundle()).ok());
  EXPECT_EQ(clinic.Decrypt(kPatient, again.Encrypt(kClinic, Say("new phone"))).plaintext, Say("new phone"));
  EXPECT_EQ(again.Decrypt(kClinic, clinic.Encrypt(kPatient, Say("welcome"))).plaintext, Say("welcome"));
  EXPECT_EQ(clinic.Decrypt(kPatient, patient.Encrypt(kClinic, Say("from before"))).plaintext, Say("from before"));
}

TEST_F(SignalSessionsTest, RefusesABundleWithAForeignSignatureOrAKeyZero) {
  PreKeyBundle bundle = clinic.Bundle();
  bundle.signature[5] ^= 1;
  EXPECT_EQ(patient.Start(kClinic, bundle).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(patient.HasSession(kClinic));
  bundle = clinic.Bundle();
  bundle.one_time->id = 0;
  EXPECT_EQ(patient.Start(kClinic, bundle).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SignalSessionsTest, EndsABrokenMessageInAnOutcome) {
  Introduce();
  const Encrypted good = patient.Encrypt(kClinic, Say("hello"));
  for (std::size_t size = 0; size < good.bytes.size(); ++size) {
    const Encrypted cut{.bytes = {good.bytes.begin(), good.bytes.begin() + static_cast<std::ptrdiff_t>(size)}};
    EXPECT_NE(clinic.Decrypt(kPatient, cut).outcome, DecryptOutcome::kDecrypted);
  }
  for (std::size_t at = 0; at < good.bytes.size(); ++at) {
    for (const bool pre_key : {false, true}) {
      Encrypted flipped{.pre_key = pre_key, .bytes = good.bytes};
      flipped.bytes[at] ^= 0x40;
      EXPECT_NE(clinic.Decrypt(kPatient, flipped).outcome, DecryptOutcome::kDecrypted);
    }
  }
  EXPECT_EQ(clinic.Decrypt(kPatient, good).outcome, DecryptOutcome::kDecrypted);
}

TEST_F(SignalSessionsTest, CutsASessionThatAPeerBlowsUp) {
  Introduce();
  std::size_t largest = 0;
  for (int chain = 0; chain < 4; ++chain) {
    for (int i = 0; i < 1'990; ++i) patient.Encrypt(kClinic, Say("skipped"));
    EXPECT_EQ(clinic.Decrypt(kPatient, patient.Encrypt(kClinic, Say("last"))).outcome, DecryptOutcome::kDecrypted);
    if (const Bytes* record = clinic.workspace.Get(SignalSessions::SessionName(kPatient))) {
      largest = std::max(largest, record->size());
    }
    if (!clinic.HasSession(kPatient)) break;
    const Decrypted turned = patient.Decrypt(kClinic, clinic.Encrypt(kPatient, Say("turn")));
    EXPECT_EQ(turned.outcome, DecryptOutcome::kDecrypted);
  }
  EXPECT_GT(largest, 100'000u);
  EXPECT_LE(largest, SignalSessions::kMaxRecord);
}

TEST_F(SignalSessionsTest, MovesASessionToTheAddressThatIsKnownLater) {
  const Jid by_phone = *Jid::Parse("34600000002@s.whatsapp.net");
  ASSERT_TRUE(patient.Start(kClinic, clinic.Bundle()).ok());
  ASSERT_EQ(clinic.Decrypt(by_phone, patient.Encrypt(kClinic, Say("a"))).outcome, DecryptOutcome::kDecrypted);
  clinic.Run([&] { return clinic.signal.MoveSession(by_phone, kPatient), 0; });
  EXPECT_FALSE(clinic.HasSession(by_phone));
  EXPECT_EQ(clinic.Decrypt(kPatient, patient.Encrypt(kClinic, Say("b"))).plaintext, Say("b"));

  // A session that stands under the later address is the newer one and stays.
  const Bytes newer = *clinic.workspace.Get(SignalSessions::SessionName(kPatient));
  SignalPeer old(by_phone, 77);
  ASSERT_TRUE(old.Start(kClinic, clinic.Bundle()).ok());
  ASSERT_EQ(clinic.Decrypt(by_phone, old.Encrypt(kClinic, Say("c"))).outcome, DecryptOutcome::kDecrypted);
  clinic.Run([&] { return clinic.signal.MoveSession(by_phone, kPatient), 0; });
  EXPECT_EQ(*clinic.workspace.Get(SignalSessions::SessionName(kPatient)), newer);
  EXPECT_FALSE(clinic.HasSession(by_phone));
}

TEST_F(SignalSessionsTest, TellsSessionsApart) {
  EXPECT_EQ(patient.Run([&] { return patient.signal.RemoteRegistrationId(kClinic); }), 0u);
  EXPECT_THAT(patient.Run([&] { return patient.signal.BaseKey(kClinic); }), IsEmpty());
  ASSERT_TRUE(patient.Start(kClinic, clinic.Bundle()).ok());
  EXPECT_EQ(patient.Run([&] { return patient.signal.RemoteRegistrationId(kClinic); }), clinic.keys.registration_id);
  const Bytes first = patient.Run([&] { return patient.signal.BaseKey(kClinic); });
  EXPECT_EQ(first.size(), 33u);
  ASSERT_TRUE(patient.Start(kClinic, clinic.Bundle()).ok());
  EXPECT_NE(patient.Run([&] { return patient.signal.BaseKey(kClinic); }), first);
}

TEST_F(SignalSessionsTest, ASenderKeyThatComesAgainForgetsNothing) {
  const Jid group = *Jid::Parse("120363000000000001@g.us");
  const Bytes key = patient.Run([&] { return patient.signal.MakeSenderKey(group, kPatient); }).value();
  const auto install = [&](ByteView message) {
    return clinic.Run([&] { return clinic.signal.InstallSenderKey(group, kPatient, message); });
  };
  const auto say = [&](std::string_view text) {
    return patient.Run([&] { return patient.signal.EncryptGroup(group, kPatient, Say(text)); }).value();
  };
  const auto read = [&](const Bytes& message) {
    return clinic.Run([&] { return clinic.signal.DecryptGroup(group, kPatient, message); });
  };
  ASSERT_TRUE(install(key).ok());
  const Bytes first = say("first");
  const Bytes later = patient.Run([&] { return patient.signal.MakeSenderKey(group, kPatient); }).value();
  ASSERT_TRUE(install(later).ok());
  EXPECT_EQ(read(first).plaintext, Say("first"));
  EXPECT_EQ(read(say("second")).plaintext, Say("second"));
  EXPECT_FALSE(install(Say("nonsense")).ok());
  EXPECT_EQ(read(Say("nonsense")).outcome, DecryptOutcome::kMalformed);
}

}  // namespace
}  // namespace medidesk::gateway::wa
