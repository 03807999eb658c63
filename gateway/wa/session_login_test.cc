#include <gtest/gtest.h>

#include "gateway/wa/iq_pre_keys.h"
#include "gateway/wa/session.h"
#include "gateway/wa/stanza_ack.h"
#include "gateway/wa/testing/fake_whatsapp.h"
#include "gateway/wa/testing/sample_device.h"
#include "whatsapp/client_payload.pb.h"

namespace medidesk::gateway::wa {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::FakeWhatsApp;

class SessionLoginTest : public ::testing::Test {
 protected:
  void Start(DeviceSettings settings = {.next_pre_key_id = 10, .first_unuploaded_pre_key_id = 10}) {
    server_.session = Session::Login(FakeWhatsApp::Options(), testing::LinkedDevice(), std::move(settings),
                                     testing::ScriptedEntropy())
                          .value();
    server_.Run(server_.session->Start(server_.now));
  }
  void Open() {
    Start();
    server_.LogIn();
    server_.Say({"ib", {{"from", Jid::Server()}}, Nodes{{"offline", {{"count", "0"}}, {}}}});
    ASSERT_EQ(server_.LastState()->state, ConnectionState::kConnected);
  }
  void ExpectRetry(std::string_view reason) {
    const auto state = server_.LastState();
    EXPECT_EQ(state->state, ConnectionState::kReconnecting);
    EXPECT_EQ(state->reason, reason);
    EXPECT_EQ(server_.connection, 0u);
    server_.Advance(seconds(6));
    EXPECT_EQ(server_.connects, 2);
  }

  FakeWhatsApp server_;
};

TEST_F(SessionLoginTest, LogsInUploadsNothingAndOpens) {
  Start();
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kConnecting);
  server_.LogIn();
  whatsapp::ClientPayload payload;
  ASSERT_TRUE(payload.ParseFromString(ToString(server_.client_payload)));
  EXPECT_EQ(payload.username(), 15550001111u);
  EXPECT_EQ(payload.device(), 7u);
  EXPECT_EQ(server_.noise_key, ToBytes(ByteView(testing::LinkedDevice().noise.public_key)));

  EXPECT_EQ(server_.LastState()->state, ConnectionState::kCatchingUp);
  const auto in = server_.TakeEvent<LoggedIn>();
  EXPECT_EQ(in->server_offset, seconds(600));
  EXPECT_EQ(in->own_lid.ToString(), "123456789012345:7@lid");
  EXPECT_TRUE(server_.session->can_send());
  const auto session_id = server_.Take("ib", "unified_session");
  ASSERT_TRUE(session_id.has_value());
  EXPECT_EQ(session_id->Child("unified_session")->Attr("id"), std::to_string(3'600'000 + 259'200'000));
  EXPECT_TRUE(server_.Take("iq", "props").has_value());
  EXPECT_TRUE(server_.Take("iq", "privacy").has_value());
  EXPECT_TRUE(server_.Take("iq", "digest").has_value());
  EXPECT_EQ(server_.Take("presence")->Attr("name"), "Clinic");
  EXPECT_FALSE(server_.Take("iq", "list").has_value());

  server_.Say({"ib", {}, Nodes{{"offline_preview", {{"count", "2"}}, {}}}});
  EXPECT_TRUE(server_.Take("ib", "offline_batch").has_value());
  EXPECT_FALSE(server_.TakeEvent<CaughtUp>().has_value());
  server_.Say({"ib", {}, Nodes{{"offline", {{"count", "2"}}, {}}}});
  EXPECT_TRUE(server_.TakeEvent<CaughtUp>().has_value());
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kConnected);
}

TEST_F(SessionLoginTest, CatchesUpAfterAMinuteWithoutTheMark) {
  Start();
  server_.LogIn();
  server_.Advance(milliseconds(19'000));
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kCatchingUp);
  for (int i = 0; i < 5; ++i) {
    server_.Say({"ib", {}, Nodes{{"other", {}, {}}}});
    server_.Advance(seconds(10));
  }
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kConnected);
}

TEST_F(SessionLoginTest, StoresPreKeysBeforeItUploadsThem) {
  Start({});
  server_.auto_commit = false;
  ASSERT_TRUE(server_.Handshake());
  server_.Say({"success", {{"t", "3600"}}, {}});
  server_.Answer(*server_.Take("iq", "count"), {{"count", {{"value", "0"}}, {}}});
  EXPECT_FALSE(server_.Take("iq", "list").has_value()) << "uploaded before stored";
  ASSERT_EQ(server_.commits.size(), 3u);
  EXPECT_EQ(server_.records.size(), 813u);
  while (server_.commits.size() > 1) {
    const auto id = server_.commits.front().commit;
    server_.commits.pop_front();
    server_.Run(server_.session->OnCommitted(server_.now, id, absl::OkStatus()));
    EXPECT_FALSE(server_.Take("iq", "list").has_value()) << "uploaded before all was stored";
  }
  server_.auto_commit = true;
  server_.Run({});
  const auto upload = server_.Take("iq", "list");
  ASSERT_TRUE(upload.has_value());
  EXPECT_EQ(upload->Child("list")->Children().size(), 812u);
  EXPECT_EQ(server_.session->settings().first_unuploaded_pre_key_id, 1u);
  server_.Answer(*upload);
  EXPECT_EQ(server_.session->settings().first_unuploaded_pre_key_id, 813u);
  server_.GoActive();
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kCatchingUp);
}

TEST_F(SessionLoginTest, UploadsStoredKeysAgainInsteadOfNewOnes) {
  Start({.next_pre_key_id = 4, .first_unuploaded_pre_key_id = 1});
  ASSERT_TRUE(server_.Handshake());
  server_.Say({"success", {{"t", "3600"}}, {}});
  server_.Answer(*server_.Take("iq", "count"), {{"count", {{"value", "3"}}, {}}});
  ASSERT_EQ(server_.loads.size(), 1u);
  EXPECT_EQ(server_.loads[0].names.size(), 3u);
  std::vector<Record> stored;
  for (const PreKey& key : GeneratePreKeys(1, 3, testing::ScriptedEntropy())) stored.push_back(key.ToRecord());
  stored.erase(stored.begin() + 1);  // used meanwhile
  server_.Run(server_.session->OnLoaded(server_.now, server_.loads[0].request, stored));
  const auto upload = server_.Take("iq", "list");
  ASSERT_TRUE(upload.has_value());
  EXPECT_EQ(upload->Child("list")->Children().size(), 2u);
}

TEST_F(SessionLoginTest, GoesOnWhenTheServerDoesNotAnswerTheKeySteps) {
  Start();
  ASSERT_TRUE(server_.Handshake());
  server_.Say({"success", {{"t", "3600"}}, {}});
  EXPECT_TRUE(server_.Take("iq", "count").has_value());
  server_.Advance(seconds(15));
  server_.Say({"ib", {}, {}});
  server_.Advance(seconds(15));
  EXPECT_TRUE(server_.Take("iq", "active").has_value());
}

TEST_F(SessionLoginTest, SuppliesKeysWhenTheServerRunsLow) {
  Open();
  server_.Say({"notification",
               {{"from", Jid::Server()}, {"type", "encrypt"}, {"id", "n1"}},
               Nodes{{"count", {{"value", "3"}}, {}}}});
  EXPECT_TRUE(server_.Take("ack").has_value());
  const auto upload = server_.Take("iq", "list");
  ASSERT_TRUE(upload.has_value());
  EXPECT_EQ(upload->Child("list")->Children().size(), 50u);
  server_.Answer(*upload);
  EXPECT_EQ(server_.session->settings().next_pre_key_id, 60u);
  // The same notification again.
  server_.Say({"notification",
               {{"from", Jid::Server()}, {"type", "encrypt"}, {"id", "n1"}},
               Nodes{{"count", {{"value", "3"}}, {}}}});
  EXPECT_FALSE(server_.Take("iq", "list").has_value());
}

TEST_F(SessionLoginTest, UploadsAfreshWhenTheServerHasNothing) {
  Open();
  server_.Refuse(*server_.Take("iq", "digest"), "404");
  EXPECT_EQ(server_.Take("iq", "list")->Child("list")->Children().size(), 812u);
}

TEST_F(SessionLoginTest, TriesAFailedUploadAgainLater) {
  Start({});
  ASSERT_TRUE(server_.Handshake());
  server_.Say({"success", {{"t", "3600"}}, {}});
  server_.Answer(*server_.Take("iq", "count"), {{"count", {{"value", "0"}}, {}}});
  server_.Refuse(*server_.Take("iq", "list"), "503");
  server_.GoActive();
  for (int i = 0; i < 6; ++i) {
    server_.Advance(seconds(11));
    server_.Say({"ib", {}, {}});
  }
  EXPECT_TRUE(server_.Take("iq", "count").has_value());
}

TEST_F(SessionLoginTest, DeliversStanzasAndLeavesTheirAckToTheOwner) {
  Open();
  const Node message{"message",
                     {{"from", *Jid::Parse("222:3@lid")}, {"id", "m1"}, {"type", "text"}, {"offline", "0"}},
                     Nodes{{"enc", {{"v", "2"}}, Bytes{1, 2, 3}}}};
  server_.Say(message);
  const auto received = server_.TakeEvent<StanzaReceived>();
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->node, message);
  EXPECT_TRUE(received->offline);
  EXPECT_TRUE(received->needs_ack);
  EXPECT_FALSE(server_.Take("ack").has_value());
  server_.Run(
      server_.session->Send(server_.now, *AckOf(received->node, server_.session->credentials().account->jid)).value());
  EXPECT_EQ(server_.Take("ack")->Attr("id"), "m1");

  server_.Say({"notification", {{"from", *Jid::Parse("222@lid")}, {"id", "n2"}, {"type", "devices"}}, {}});
  EXPECT_TRUE(server_.TakeEvent<StanzaReceived>()->needs_ack);
  server_.Say({"notification",
               {{"from", *Jid::Parse("222@lid")}, {"id", "n3"}, {"type", "encrypt"}},
               Nodes{{"identity", {}, {}}}});
  EXPECT_TRUE(server_.TakeEvent<StanzaReceived>()->needs_ack);
  EXPECT_FALSE(server_.Take("ack").has_value());
  server_.Say({"notification", {{"from", *Jid::Parse("222@lid")}, {"id", "n4"}, {"type", "never seen"}}, {}});
  EXPECT_EQ(server_.Take("ack")->Attr("type"), "never seen");
  server_.Say({"status", {{"from", *Jid::Parse("222@lid")}, {"id", "n5"}}, {}});
  EXPECT_EQ(server_.Take("ack")->Attr("class"), "status");
  EXPECT_FALSE(server_.TakeEvent<StanzaReceived>().has_value());
}

TEST_F(SessionLoginTest, DeliversNothingBeforeTheLogin) {
  Start();
  ASSERT_TRUE(server_.Handshake());
  server_.Say({"message", {{"from", *Jid::Parse("222@lid")}, {"id", "m1"}}, {}});
  EXPECT_FALSE(server_.TakeEvent<StanzaReceived>().has_value());
  EXPECT_EQ(server_.session->Send(server_.now, Node{"presence", {}, {}}).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(SessionLoginTest, AnswersPingsCleansDirtyBitsAndKeepsTheRoute) {
  Open();
  server_.Say({"iq", {{"from", Jid::Server()}, {"type", "get"}, {"xmlns", "urn:xmpp:ping"}, {"id", "9"}}, {}});
  std::optional<Node> pong;
  while (auto node = server_.Take("iq")) {
    if (node->Attr("id") == "9") pong = node;
  }
  ASSERT_TRUE(pong.has_value());
  EXPECT_EQ(pong->Attr("type"), "result");
  server_.Say({"ib", {}, Nodes{{"dirty", {{"type", "groups"}, {"timestamp", "17"}}, {}}}});
  EXPECT_EQ(server_.Take("iq", "clean")->Child("clean")->Attr("timestamp"), "17");
  server_.Say({"ib", {}, Nodes{{"edge_routing", {}, Nodes{{"routing_info", {}, Bytes{8, 2, 8, 12}}}}}});
  EXPECT_EQ(DeviceSettings::Parse(server_.records[{14, "connection"}])->routing_info, (Bytes{8, 2, 8, 12}));

  server_.Drop();
  server_.Advance(seconds(6));
  server_.Accept();
  EXPECT_EQ((Bytes{server_.first_bytes.begin(), server_.first_bytes.begin() + 15}),
            (Bytes{0x45, 0x44, 0, 1, 0, 0, 4, 8, 2, 8, 12, 0x57, 0x41, 6, 3}));
  // Two handshakes that fail with it: without.
  server_.Drop();
  server_.Advance(seconds(12));
  server_.Accept();
  server_.Drop();
  EXPECT_TRUE(server_.session->settings().routing_info.empty());
  server_.Advance(seconds(24));
  server_.Accept();
  EXPECT_EQ(server_.first_bytes[0], 0x57);
}

TEST_F(SessionLoginTest, PingsAndGivesUpOnSilence) {
  Open();
  server_.Advance(seconds(30));
  std::optional<Node> ping;
  while (auto node = server_.Take("iq")) {
    if (node->Attr("xmlns") == "w:p") ping = node;
  }
  ASSERT_TRUE(ping.has_value());
  server_.Answer(*ping);
  EXPECT_EQ(server_.connects, 1);
  // A ping within 30 s, and 20 s for an answer.
  for (int i = 0; i < 50 && server_.connection != 0; ++i) server_.Advance(seconds(1));
  ExpectRetry("keepalive");
}

TEST_F(SessionLoginTest, DoesNotBlameTheServerWhileNothingIsRead) {
  Open();
  server_.Run(server_.session->PauseReading(server_.now));
  server_.Advance(minutes(5));
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kConnected);
  server_.Run(server_.session->ResumeReading(server_.now));
  for (int i = 0; i < 50 && server_.connection != 0; ++i) server_.Advance(seconds(1));
  ExpectRetry("keepalive");
}

TEST_F(SessionLoginTest, ReconnectsAfterALoss) {
  Open();
  server_.Drop();
  ExpectRetry("closed");
  server_.LogIn();
}

TEST_F(SessionLoginTest, TimesOutEveryStepOfConnecting) {
  Start();
  server_.Advance(seconds(20));
  ExpectRetry("connect_timeout");
  server_.Accept();
  server_.Advance(seconds(20));
  EXPECT_EQ(server_.LastState()->reason, "handshake_timeout");
  server_.Advance(seconds(12));
  ASSERT_TRUE(server_.Handshake());
  for (int i = 0; i < 3; ++i) {
    server_.Say({"ib", {}, {}});
    server_.Advance(seconds(10));
  }
  EXPECT_EQ(server_.LastState()->reason, "login_timeout");
}

TEST_F(SessionLoginTest, RestartsAtOnceWhenTold) {
  Open();
  server_.Say({"stream:error", {{"code", "515"}}, {}});
  EXPECT_EQ(server_.connects, 2);
  server_.LogIn();
}

TEST_F(SessionLoginTest, StopsWhenLoggedOutReplacedOrRefused) {
  const std::tuple<Node, ConnectionState, const char*> cases[] = {
      {{"failure", {{"reason", "401"}}, {}}, ConnectionState::kNeedsLink, "failure.401"},
      {{"failure", {{"reason", "403"}}, {}}, ConnectionState::kNeedsLink, "failure.403"},
      {{"failure", {{"reason", "405"}}, {}}, ConnectionState::kVersionRefused, "failure.405"},
      {{"failure", {{"reason", "402"}}, {}}, ConnectionState::kBanned, "failure.402"},
      {{"failure", {{"reason", "409"}}, {}}, ConnectionState::kStopped, "failure.409"},
      {{"stream:error", {}, Nodes{{"conflict", {{"type", "replaced"}}, {}}}},
       ConnectionState::kReplaced,
       "stream.replaced"},
      {{"stream:error", {{"code", "401"}}, Nodes{{"conflict", {{"type", "device_removed"}}, {}}}},
       ConnectionState::kNeedsLink,
       "stream.device_removed"},
  };
  for (const auto& [node, state, reason] : cases) {
    server_ = FakeWhatsApp();
    Start();
    ASSERT_TRUE(server_.Handshake());
    server_.Say(node);
    EXPECT_EQ(server_.LastState()->state, state) << reason;
    EXPECT_EQ(server_.LastState()->reason, reason);
    EXPECT_TRUE(server_.LastState()->alarm);
    EXPECT_TRUE(server_.session->idle());
    server_.Advance(minutes(10));
    EXPECT_EQ(server_.connects, 1) << reason;
    // A person has looked into it.
    server_.Run(server_.session->Reconnect(server_.now));
    EXPECT_EQ(server_.connects, 2);
    server_.LogIn();
  }
}

TEST_F(SessionLoginTest, RefusesAServerThatIsNotWhatsApp) {
  testing::ChainSpec forged;
  forged.root = testing::FixedPair(77);
  testing::ChainSpec expired;
  expired.leaf_not_after = 2'500;
  testing::ChainSpec other_leaf;
  other_leaf.leaf_key = ToBytes(ByteView(testing::FixedPair(78).public_key));
  for (const auto& chain : {forged, expired, other_leaf}) {
    server_ = FakeWhatsApp();
    Start();
    EXPECT_FALSE(server_.Handshake(chain));
    const auto state = server_.LastState();
    EXPECT_EQ(state->state, ConnectionState::kUntrustedServer);
    EXPECT_EQ(state->reason, "certificate");
    EXPECT_TRUE(state->alarm);
    EXPECT_FALSE(state->detail.empty());
    EXPECT_TRUE(server_.client_payload.empty()) << "we said who we are";
    EXPECT_TRUE(server_.all_commits.empty());
    EXPECT_EQ(server_.session->credentials(), testing::LinkedDevice());
    server_.Advance(minutes(15));
    EXPECT_EQ(server_.connects, 2);
  }
}

TEST_F(SessionLoginTest, ClosesOnBadFramesAndNodes) {
  Open();
  server_.Feed(Bytes{0, 0, 0});
  ExpectRetry("bad_frame");

  server_ = FakeWhatsApp();
  Open();
  Bytes frame;
  ASSERT_TRUE(AppendFrame(Bytes(40, 1), frame).ok());
  server_.Feed(frame);
  ExpectRetry("bad_frame");

  server_ = FakeWhatsApp();
  Open();
  frame.clear();
  ASSERT_TRUE(server_.transport->SealFrame(Bytes{0, 0xF0}, frame).ok());
  server_.Feed(frame);
  EXPECT_FALSE(server_.LastState()->detail.empty());
  ExpectRetry("bad_node");

  server_ = FakeWhatsApp();
  Start();
  server_.Accept();
  frame.clear();
  ASSERT_TRUE(AppendFrame(AsBytes("no handshake"), frame).ok());
  server_.Feed(frame);
  ExpectRetry("handshake");

  server_ = FakeWhatsApp();
  Open();
  server_.Say({"xmlstreamend", {}, {}});
  ExpectRetry("stream_end");
}

TEST_F(SessionLoginTest, IgnoresWhatBelongsToAnotherConnection) {
  Open();
  const auto old = server_.connection;
  server_.Drop();
  server_.Advance(seconds(6));
  EXPECT_TRUE(server_.session->OnBytes(server_.now, old, Bytes{0, 0, 0}).empty());
  EXPECT_TRUE(server_.session->OnClosed(server_.now, old, CloseCause::kLost).empty());
  EXPECT_TRUE(server_.session->OnConnected(server_.now, old).empty());
  EXPECT_TRUE(server_.session->OnCommitted(server_.now, 999, absl::OkStatus()).empty());
  EXPECT_TRUE(server_.session->OnLoaded(server_.now, 999, std::vector<Record>{}).empty());
  server_.LogIn();
}

TEST_F(SessionLoginTest, IsOverWhenTheStoreRefuses) {
  Open();
  server_.commit_status = absl::FailedPreconditionError("LEASE_LOST");
  server_.Say({"ib", {}, Nodes{{"edge_routing", {}, Nodes{{"routing_info", {}, Bytes{1}}}}}});
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kStopped);
  EXPECT_EQ(server_.LastState()->reason, "commit_refused");
  EXPECT_EQ(server_.connection, 0u);
  server_.Run(server_.session->Reconnect(server_.now));
  EXPECT_EQ(server_.connects, 1);
}

TEST_F(SessionLoginTest, LogsOutWithTheServersWord) {
  Open();
  server_.Run(server_.session->Logout(server_.now));
  const auto logout = server_.Take("iq", "remove-companion-device");
  ASSERT_TRUE(logout.has_value());
  EXPECT_EQ(logout->Child("remove-companion-device")->Attr("jid"), "15550001111:7@s.whatsapp.net");
  server_.Answer(*logout);
  EXPECT_TRUE(server_.TakeEvent<LoggedOut>()->confirmed);
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kNeedsLink);
  EXPECT_FALSE(server_.LastState()->alarm);
  EXPECT_TRUE(server_.session->idle());
}

TEST_F(SessionLoginTest, LogsOutWithoutTheServersWord) {
  Open();
  server_.Run(server_.session->Logout(server_.now));
  server_.Advance(seconds(10));
  EXPECT_FALSE(server_.TakeEvent<LoggedOut>()->confirmed);

  server_ = FakeWhatsApp();
  Open();
  server_.Run(server_.session->Logout(server_.now));
  server_.Say({"stream:error", {{"code", "401"}}, Nodes{{"conflict", {{"type", "device_removed"}}, {}}}});
  EXPECT_TRUE(server_.TakeEvent<LoggedOut>()->confirmed);
  EXPECT_FALSE(server_.LastState()->alarm);

  server_ = FakeWhatsApp();
  Start();
  server_.Run(server_.session->Logout(server_.now));
  EXPECT_FALSE(server_.TakeEvent<LoggedOut>()->confirmed);
}

TEST_F(SessionLoginTest, StopsForGood) {
  Open();
  server_.Run(server_.session->Stop(server_.now));
  EXPECT_EQ(server_.LastState()->state, ConnectionState::kStopped);
  EXPECT_EQ(server_.connection, 0u);
  server_.Advance(minutes(60));
  server_.Run(server_.session->Reconnect(server_.now));
  EXPECT_EQ(server_.connects, 1);
}

TEST_F(SessionLoginTest, TakesFramesInAnyPieces) {
  Start();
  server_.Accept();
  const Bytes hello = server_.noise->Answer(*server_.client_hello, AsBytes(testing::MakeChain({}).SerializeAsString()));
  Bytes frame;
  ASSERT_TRUE(AppendFrame(hello, frame).ok());
  for (const std::uint8_t byte : frame) server_.Feed({&byte, 1});
  ASSERT_TRUE(server_.transport.has_value());
  Bytes two;
  ASSERT_TRUE(server_.transport->SealFrame(EncodeNode({"success", {{"t", "3600"}}, {}}).value(), two).ok());
  ASSERT_TRUE(server_.transport->SealFrame(EncodeNode({"success", {{"t", "9999"}}, {}}).value(), two).ok());
  server_.Feed(two);
  EXPECT_EQ(server_.TakeEvent<LoggedIn>()->server_offset, seconds(600));
  EXPECT_FALSE(server_.TakeEvent<LoggedIn>().has_value()) << "the second success counts for nothing";
}

TEST_F(SessionLoginTest, AsksForOthersAndFailsTheirQuestionsWhenClosed) {
  Open();
  absl::Status status = absl::OkStatus();
  const auto keep = [&](const absl::StatusOr<PreKeyCountRequest::Response>& answer) { status = answer.status(); };
  server_.Run(server_.session->Query(server_.now, PreKeyCountRequest{}, keep));
  EXPECT_TRUE(server_.Take("iq", "count").has_value());
  server_.Drop();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  status = absl::OkStatus();
  server_.Run(server_.session->Query(server_.now, PreKeyCountRequest{}, keep));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace medidesk::gateway::wa
