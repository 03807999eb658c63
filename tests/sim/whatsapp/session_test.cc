#include "tests/sim/whatsapp/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/whatsapp/delivery.h"
#include "tests/sim/whatsapp/pairing.h"
#include "tests/sim/whatsapp/testing/fake_link.h"
#include "tests/sim/whatsapp/testing/test_client.h"

namespace medidesk::whatsapp_sim {
namespace {

namespace wa = gateway::wa;

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;

constexpr std::uint64_t kPhone = 15550001111;

// One connection of one client.
struct Wire {
  explicit Wire(World& world) : session(world, link, "/ws/chat?gateway=a") {}

  // The client hears what the server wrote.
  void Hear(testing::TestClient& client) {
    for (const Bytes& message : std::exchange(link.written, {})) client.Feed(message);
  }
  std::vector<wa::Node> Nodes(testing::TestClient& client) {
    Hear(client);
    std::vector<wa::Node> nodes;
    while (auto node = client.Next()) nodes.push_back(*std::move(node));
    return nodes;
  }
  void Say(testing::TestClient& client, const wa::Node& node) { session.OnMessage(client.Seal(node)); }

  testing::FakeLink link;
  Session session;
};

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    account =
        world.AddAccount({.phone = {.number = "15550001111", .lid = "", .name = "Asha", .business_name = ""}}).value();
  }

  std::unique_ptr<Wire> Connect(testing::TestClient& client) {
    auto wire = std::make_unique<Wire>(world);
    wire->session.OnMessage(client.Hello());
    wire->Hear(client);
    return wire;
  }

  std::unique_ptr<Wire> Register(testing::TestClient& client) {
    auto wire = Connect(client);
    wire->session.OnMessage(client.FinishAsNew().value());
    return wire;
  }

  // The client is linked; its connection is over.
  void Link(testing::TestClient& client) {
    const auto wire = Register(client);
    const auto refs = wire->Nodes(client);
    ASSERT_TRUE(
        world.Scan("15550001111", client.Qr(refs.at(0).Child("pair-device")->Child("ref")->ContentText())).ok());
    const auto success = wire->Nodes(client);
    wire->Say(client, client.Sign(success.at(0)).value());
    wire->session.OnClosed();
  }

  std::unique_ptr<Wire> Login(testing::TestClient& client, bool passive = true) {
    auto wire = Connect(client);
    wire->session.OnMessage(client.FinishAsDevice(kPhone, 1, passive).value());
    return wire;
  }

  std::vector<std::string> Events() const {
    std::vector<std::string> names;
    for (const LoginEvent& event : world.log.logins()) names.push_back(event.event);
    return names;
  }
  std::string LastDetail() const { return world.log.logins().back().detail; }

  static Fault Of(Fault::Kind kind, Fault::At at = Fault::At::kNow) {
    Fault fault;
    fault.kind = kind;
    fault.at = at;
    return fault;
  }

  static wa::Node Iq(std::string_view xmlns, std::string_view type, std::string_view child) {
    wa::Node iq{"iq", {{"id", "7"}, {"to", wa::Jid::Server()}, {"type", type}, {"xmlns", xmlns}}, {}};
    if (!child.empty()) iq.content = wa::Nodes{{std::string(child), {}, {}}};
    return iq;
  }

  World world{Settings{}, [] { return std::int64_t{1'790'000'000'000'000}; }};
  Account* account = nullptr;
  testing::TestClient client;
};

TEST_F(SessionTest, LinksAClientByQrAndRestartsIt) {
  const auto wire = Register(client);
  const auto refs = wire->Nodes(client);
  ASSERT_EQ(refs.size(), 1u);
  ASSERT_EQ(refs[0].Child("pair-device")->Children().size(), 6u);
  wire->Say(client, {"iq", {{"to", wa::Jid::Server()}, {"type", "result"}, {"id", refs[0].Attr("id")}}, {}});
  const std::string ref(refs[0].Child("pair-device")->Children()[2].ContentText());
  ASSERT_TRUE(world.Scan("15550001111", client.Qr(ref)).ok());
  EXPECT_EQ(world.Scan("15550001111", client.Qr(ref)).code(), absl::StatusCode::kFailedPrecondition);

  const auto success = wire->Nodes(client);
  ASSERT_EQ(success.size(), 1u);
  EXPECT_EQ(success[0].Child("pair-success")->Child("device")->Attr("jid"), "15550001111:1@s.whatsapp.net");
  wire->Say(client, client.Sign(success[0]).value());
  const auto restart = wire->Nodes(client);
  ASSERT_EQ(restart.size(), 1u);
  EXPECT_EQ(restart[0].Attr("code"), "515");
  EXPECT_FALSE(wire->link.closed);
  wire->link.Pass(milliseconds(100));
  EXPECT_TRUE(wire->link.closed);
  ASSERT_NE(account->Find(1), nullptr);
  EXPECT_EQ(account->Find(1)->identity, client.identity.public_key);
  EXPECT_THAT(Events(), ElementsAre("open", "registration", "scanned", "linked"));
}

TEST_F(SessionTest, RefusesAQrWithOtherKeys) {
  const auto wire = Register(client);
  const std::string ref(wire->Nodes(client).at(0).Child("pair-device")->Child("ref")->ContentText());
  testing::TestClient other;
  EXPECT_EQ(world.Scan("15550001111", other.Qr(ref)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(world.Scan("15550001111", client.Qr("2@nobody")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.Scan("15559999999", client.Qr(ref)).code(), absl::StatusCode::kNotFound);
}

TEST_F(SessionTest, LinksNobodyWhoseSignatureIsWrong) {
  const auto wire = Register(client);
  const std::string ref(wire->Nodes(client).at(0).Child("pair-device")->Child("ref")->ContentText());
  ASSERT_TRUE(world.Scan("15550001111", client.Qr(ref)).ok());
  wa::Node reply = client.Sign(wire->Nodes(client).at(0)).value();
  wa::Node& identity = std::get<wa::Nodes>(std::get<wa::Nodes>(reply.content)[0].content)[0];
  std::get<Bytes>(identity.content).back() ^= 1;
  wire->Say(client, reply);
  EXPECT_EQ(account->Find(1), nullptr);
  EXPECT_TRUE(wire->link.closed);
  EXPECT_THAT(world.log.logins(), Contains(Field(&LoginEvent::event, "problem")));
}

TEST_F(SessionTest, ClosesWhenTheRefsRanOut) {
  const auto wire = Register(client);
  wire->link.Pass(milliseconds(159'999));
  EXPECT_FALSE(wire->link.closed);
  wire->link.Pass(milliseconds(1));
  EXPECT_TRUE(wire->link.closed);
}

TEST_F(SessionTest, LogsALinkedDeviceIn) {
  Link(client);
  const auto wire = Login(client);
  const auto nodes = wire->Nodes(client);
  ASSERT_EQ(nodes.size(), 1u);
  EXPECT_EQ(nodes[0].tag, "success");
  EXPECT_EQ(nodes[0].Attr("t"), "1790000000");
  EXPECT_EQ(nodes[0].AttrJid("lid"), account->Find(1)->lid);
  EXPECT_EQ(wire->session.state(), "passive");
  wire->Say(client, Iq("passive", "set", "active"));
  EXPECT_EQ(wire->session.state(), "active");
  const auto after = wire->Nodes(client);
  ASSERT_EQ(after.size(), 4u);
  EXPECT_EQ(after[0].Attr("type"), "result");
  EXPECT_NE(after[1].Child("edge_routing"), nullptr);
  EXPECT_NE(after[2].Child("offline_preview"), nullptr);
  EXPECT_EQ(after[3].Child("offline")->Attr("count"), "0");
}

TEST_F(SessionTest, RefusesUnknownDevicesForeignKeysAndOldVersions) {
  Link(client);
  testing::TestClient stranger;
  const auto wire = Login(stranger);
  EXPECT_EQ(wire->Nodes(stranger).at(0).Attr("reason"), "401");
  world.settings.oldest_version = client.version + 1;
  const auto old = Login(client);
  EXPECT_EQ(old->Nodes(client).at(0).Attr("reason"), "405");
  world.settings.oldest_version = client.version;
  const auto right = Login(client);
  EXPECT_EQ(right->Nodes(client).at(0).tag, "success");
}

TEST_F(SessionTest, EndsTheOlderOfTwoLogins) {
  Link(client);
  testing::TestClient twin;
  twin.noise = client.noise;
  twin.identity = client.identity;
  const auto first = Login(client);
  first->Nodes(client);
  const auto second = Login(twin);
  const auto told = first->Nodes(client);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].Child("conflict")->Attr("type"), "replaced");
  EXPECT_EQ(second->Nodes(twin).at(0).tag, "success");
  first->session.OnClosed();
  EXPECT_EQ(account->Find(1)->session, &second->session);
  EXPECT_THAT(Events(), Contains("replaced"));
}

TEST_F(SessionTest, KeepsAStanzaUntilItIsAcknowledged) {
  Link(client);
  Device& device = *account->Find(1);
  wa::Node note{"notification", {{"from", wa::Jid::Server()}, {"type", "server"}, {"id", "41"}}, {}};
  Deliver(device, note);
  {
    const auto wire = Login(client, /*passive=*/false);
    const auto nodes = wire->Nodes(client);
    ASSERT_EQ(nodes.size(), 5u);
    EXPECT_EQ(nodes[2].Child("offline_preview")->Attr("notification"), "1");
    EXPECT_EQ(nodes[3].Attr("offline"), "0");
    wire->session.OnClosed();
  }
  const auto wire = Login(client, /*passive=*/false);
  EXPECT_EQ(device.pending.size(), 1u);
  wire->Say(client, {"ack", {{"class", "receipt"}, {"id", "41"}, {"to", wa::Jid::Server()}}, {}});
  EXPECT_EQ(device.pending.size(), 1u) << "an ack of another class";
  wire->Say(client, {"ack", {{"class", "notification"}, {"id", "41"}, {"to", wa::Jid::Server()}}, {}});
  EXPECT_EQ(device.pending.size(), 0u);
}

TEST_F(SessionTest, ForgetsADeviceThatLogsOut) {
  Link(client);
  const auto wire = Login(client);
  wire->Nodes(client);
  wa::Node remove = Iq("md", "set", "remove-companion-device");
  std::get<wa::Nodes>(remove.content)[0].SetAttr({"jid", account->Find(1)->jid});
  wire->Say(client, remove);
  const auto nodes = wire->Nodes(client);
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[0].Attr("type"), "result");
  EXPECT_EQ(nodes[1].Child("conflict")->Attr("type"), "device_removed");
  EXPECT_EQ(account->Find(1), nullptr);
  wire->Say(client, Iq("encrypt", "get", "count"));
  EXPECT_TRUE(wire->Nodes(client).empty());
}

TEST_F(SessionTest, UnlinksADeviceThatIsConnected) {
  Link(client);
  const auto wire = Login(client);
  wire->Nodes(client);
  ASSERT_TRUE(world.Unlink("15550001111", 1).ok());
  EXPECT_EQ(wire->Nodes(client).at(0).Attr("code"), "401");
  EXPECT_EQ(world.Unlink("15550001111", 1).code(), absl::StatusCode::kNotFound);
}

TEST_F(SessionTest, TakesTheHeaderInPiecesAndWithRoutingInfo) {
  client.routing_info = {8, 2, 8, 12};
  Wire wire(world);
  for (const std::uint8_t byte : client.Hello()) wire.session.OnMessage({&byte, 1});
  wire.Hear(client);
  wire.session.OnMessage(client.FinishAsNew().value());
  EXPECT_EQ(wire.Nodes(client).size(), 1u);
  EXPECT_EQ(wire.session.routing_info(), client.routing_info);
}

TEST_F(SessionTest, ClosesOnAWrongHeaderAndOnABrokenFrame) {
  Wire wrong(world);
  wrong.session.OnMessage(Bytes{'W', 'A', 5, 3});
  EXPECT_TRUE(wrong.link.closed);
  const auto wire = Register(client);
  wire->session.OnMessage(Join({Bytes{0, 0, 20}, RandomBytes(20)}));
  EXPECT_TRUE(wire->link.closed);
  EXPECT_EQ(LastDetail(), "a frame that does not decrypt");
}

TEST_F(SessionTest, AnswersItsOwnQuestionsOnlyOnceLoggedIn) {
  const auto wire = Register(client);
  wire->Nodes(client);
  wire->Say(client, Iq("encrypt", "get", "count"));
  EXPECT_EQ(wire->Nodes(client).at(0).Attr("type"), "error");
  wire->Say(client, Iq("w:p", "get", ""));
  EXPECT_EQ(wire->Nodes(client).at(0).Attr("type"), "result");
}

TEST_F(SessionTest, PingsTheClientAndCountsItsAnswers) {
  world.settings.server_ping_ms = 1000;
  Link(client);
  const auto wire = Login(client);
  wire->Nodes(client);
  wire->link.Pass(milliseconds(1000));
  const wa::Node ping = wire->Nodes(client).at(0);
  EXPECT_EQ(ping.Attr("xmlns"), "urn:xmpp:ping");
  wire->Say(client, {"iq", {{"to", wa::Jid::Server()}, {"type", "result"}, {"id", ping.Attr("id")}}, {}});
  EXPECT_EQ(wire->session.pongs(), 1u);
  wire->link.Pass(milliseconds(1000));
  EXPECT_EQ(wire->Nodes(client).size(), 1u);
}

// ---- Faults. ------------------------------------------------------------------------------------

TEST_F(SessionTest, StrikesTheOnesThatAFaultIsFor) {
  Link(client);
  const auto wire = Login(client);
  Fault fault = Of(Fault::Kind::kDrop);
  fault.phone = "15559999999";
  EXPECT_EQ(world.Order(fault).value(), 0);
  fault.phone = "15550001111";
  fault.target = "gateway=b";
  EXPECT_EQ(world.Order(fault).value(), 0);
  fault.target = "gateway=a";
  EXPECT_EQ(world.Order(fault).value(), 1);
  ASSERT_TRUE(wire->link.closed);
  EXPECT_EQ(wire->link.closed->first, Link::How::kReset);
  wire->session.OnClosed();
  EXPECT_EQ(LastDetail(), "fault");
}

TEST_F(SessionTest, RefusesALoginAsOrderedAndAsOftenAsOrdered) {
  Link(client);
  Fault refusal = Of(Fault::Kind::kFailure, Fault::At::kLogin);
  refusal.times = 2;
  refusal.code = 503;
  ASSERT_TRUE(world.Order(refusal).ok());
  for (int i = 0; i < 2; ++i) {
    const auto wire = Login(client);
    EXPECT_EQ(wire->Nodes(client).at(0).Attr("reason"), "503");
    wire->link.Pass(milliseconds(100));
    EXPECT_TRUE(wire->link.closed);
  }
  const auto wire = Login(client);
  EXPECT_EQ(wire->Nodes(client).at(0).tag, "success");
}

TEST_F(SessionTest, SendsStreamErrorsWithTheirConflict) {
  Link(client);
  const auto wire = Login(client);
  wire->Nodes(client);
  Fault fault = Of(Fault::Kind::kStreamError);
  fault.code = 440;
  fault.how = "replaced";
  ASSERT_EQ(world.Order(fault).value(), 1);
  const wa::Node error = wire->Nodes(client).at(0);
  EXPECT_EQ(error.tag, "stream:error");
  EXPECT_EQ(error.Attr("code"), "440");
  EXPECT_EQ(error.Child("conflict")->Attr("type"), "replaced");
}

TEST_F(SessionTest, FallsSilentWithTheConnectionOpen) {
  Link(client);
  const auto wire = Login(client);
  wire->Nodes(client);
  ASSERT_EQ(world.Order(Of(Fault::Kind::kSilence)).value(), 1);
  wire->Say(client, Iq("w:p", "get", ""));
  EXPECT_TRUE(wire->Nodes(client).empty());
  EXPECT_FALSE(wire->link.closed);
}

TEST_F(SessionTest, StopsAnsweringPingsAlone) {
  Link(client);
  const auto wire = Login(client);
  wire->Nodes(client);
  ASSERT_EQ(world.Order(Of(Fault::Kind::kNoPong)).value(), 1);
  wire->Say(client, Iq("w:p", "get", ""));
  EXPECT_TRUE(wire->Nodes(client).empty());
  wire->Say(client, Iq("encrypt", "get", "count"));
  EXPECT_EQ(wire->Nodes(client).size(), 1u);
}

TEST_F(SessionTest, SpoilsFramesInEveryWay) {
  for (const Fault::Kind kind : {Fault::Kind::kGarbageFrame, Fault::Kind::kBadNode, Fault::Kind::kEmptyFrame}) {
    testing::TestClient spoiled;
    const auto wire = Register(spoiled);
    wire->Nodes(spoiled);
    Fault fault = Of(kind);
    fault.bytes = {0, 0xf0};
    ASSERT_EQ(world.Order(fault).value(), 1);
    EXPECT_TRUE(wire->Nodes(spoiled).empty());
    EXPECT_TRUE(spoiled.broken()) << static_cast<int>(kind);
    wire->session.OnClosed();
  }
}

TEST_F(SessionTest, SendsSplitAndCompressedFramesThatRead) {
  Link(client);
  for (const Fault::Kind kind : {Fault::Kind::kSplit, Fault::Kind::kCompress}) {
    Fault fault = Of(kind, Fault::At::kHello);
    fault.ms = 1;
    ASSERT_TRUE(world.Order(fault).ok());
    const auto wire = Login(client, /*passive=*/false);
    EXPECT_EQ(wire->Nodes(client).size(), 4u);
    EXPECT_FALSE(client.broken());
    wire->session.OnClosed();
  }
}

TEST_F(SessionTest, SpoilsTheServerHello) {
  for (const char* how : {"truncated", "short_static", "short_ephemeral", "bad_payload", "garbage"}) {
    Fault fault = Of(Fault::Kind::kServerHello, Fault::At::kHello);
    fault.how = how;
    ASSERT_TRUE(world.Order(fault).ok());
    const auto wire = Connect(client);
    EXPECT_FALSE(client.FinishAsNew()) << how;
  }
  const auto wire = Connect(client);
  EXPECT_TRUE(client.FinishAsNew());
}

TEST_F(SessionTest, ForgesEndorsements) {
  for (const std::string_view how : AdvForgeryNames()) {
    const bool holds = how == "none" || how == "hosted";
    Fault fault = Of(Fault::Kind::kAdv, Fault::At::kPairSuccess);
    fault.how = how;
    ASSERT_TRUE(world.Order(fault).ok());
    const auto wire = Register(client);
    const std::string ref(wire->Nodes(client).at(0).Child("pair-device")->Child("ref")->ContentText());
    ASSERT_TRUE(world.Scan("15550001111", client.Qr(ref)).ok());
    EXPECT_EQ(client.Sign(wire->Nodes(client).at(0)).has_value(), holds) << how;
    wire->session.OnClosed();
  }
}

TEST_F(SessionTest, AnswersAQuestionWithAnErrorOrNotAtAll) {
  Link(client);
  const auto wire = Login(client);
  wire->Nodes(client);
  Fault error = Of(Fault::Kind::kIqError, Fault::At::kIq);
  error.code = 500;
  error.xmlns = "abt";
  ASSERT_TRUE(world.Order(error).ok());
  Fault silence = Of(Fault::Kind::kIqSilence, Fault::At::kIq);
  silence.xmlns = "encrypt";
  silence.child = "count";
  ASSERT_TRUE(world.Order(silence).ok());
  wire->Say(client, Iq("abt", "get", "props"));
  EXPECT_EQ(wire->Nodes(client).at(0).Child("error")->Attr("code"), "500");
  wire->Say(client, Iq("encrypt", "get", "digest"));
  EXPECT_EQ(wire->Nodes(client).size(), 1u);
  wire->Say(client, Iq("encrypt", "get", "count"));
  EXPECT_TRUE(wire->Nodes(client).empty());
  wire->Say(client, Iq("encrypt", "get", "count"));
  EXPECT_EQ(wire->Nodes(client).size(), 1u);
}

}  // namespace
}  // namespace medidesk::whatsapp_sim
