#include "tests/sim/whatsapp/messages.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/whatsapp/session.h"
#include "tests/sim/whatsapp/testing/fake_link.h"
#include "tests/sim/whatsapp/testing/test_client.h"

namespace medidesk::whatsapp_sim {
namespace {

namespace wa = gateway::wa;

using ::testing::IsEmpty;
using ::testing::SizeIs;

wa::Jid At(std::string_view text) { return *wa::Jid::Parse(text); }

// A linked client with a connection.
struct Party {
  Party(World& world, const std::string& phone, int device) : world(world), phone(phone), device(device) {
    Open();
    session->OnMessage(client.FinishAsNew().value());
    const auto refs = Heard();
    const auto code = client.Qr(refs.at(0).Child("pair-device")->Child("ref")->ContentText());
    EXPECT_TRUE(world.Scan(phone, code).ok());
    Say(client.Sign(Heard().at(0)).value());
    Away();
    Login();
  }
  void Open() {
    link = testing::FakeLink();
    session = std::make_unique<Session>(world, link, "/ws/chat");
    session->OnMessage(client.Hello());
    Hear();
  }
  void Login() {
    Open();
    session->OnMessage(
        client.FinishAsDevice(std::stoull(phone), static_cast<std::uint32_t>(device), /*passive=*/false).value());
    greeting = Heard();
  }
  void Away() { session.reset(); }
  void Say(const wa::Node& node) { session->OnMessage(client.Seal(node)); }
  void Hear() {
    for (const Bytes& message : std::exchange(link.written, {})) client.Feed(message);
  }
  std::vector<wa::Node> Heard() {
    Hear();
    std::vector<wa::Node> nodes;
    while (auto node = client.Next()) nodes.push_back(*std::move(node));
    return nodes;
  }
  std::vector<wa::Node> Heard(std::string_view tag) {
    std::vector<wa::Node> nodes = Heard();
    std::erase_if(nodes, [tag](const wa::Node& node) { return node.tag != tag; });
    return nodes;
  }

  World& world;
  const std::string phone;
  const int device;
  testing::TestClient client;
  testing::FakeLink link;
  std::unique_ptr<Session> session;
  std::vector<wa::Node> greeting;
};

class MessagesTest : public ::testing::Test {
 protected:
  static void Add(World& world, const char* number, const char* lid, const char* name) {
    World::PhoneOptions options;
    options.phone.number = number;
    options.phone.lid = lid;
    options.phone.name = name;
    ASSERT_TRUE(world.AddAccount(options).ok());
  }
  MessagesTest() {
    Add(world, "15550001111", "1001", "Clinic");
    Add(world, "15550002222", "2002", "Asha");
    clinic = std::make_unique<Party>(world, "15550001111", 1);
    asha = std::make_unique<Party>(world, "15550002222", 1);
  }
  static wa::Node Enc(std::string_view text) {
    return {"enc", {{"v", "2"}, {"type", "msg"}}, Bytes(text.begin(), text.end())};
  }
  static wa::Node Message(const std::string& id, const char* to, const std::vector<const char*>& devices) {
    wa::Nodes targets;
    for (const char* device : devices) targets.push_back({"to", {{"jid", At(device)}}, wa::Nodes{Enc(device)}});
    wa::Nodes children;
    children.push_back({"participants", {}, std::move(targets)});
    return {"message", {{"id", id}, {"to", At(to)}, {"type", "text"}}, std::move(children)};
  }
  Fault Of(Fault::Kind kind) {
    Fault fault;
    fault.kind = kind;
    fault.at = UsualTime(kind);
    return fault;
  }

  World world{Settings{}, [] { return std::int64_t{1'790'000'000'000'000}; }};
  std::unique_ptr<Party> clinic, asha;
};

TEST_F(MessagesTest, CarriesAMessageToItsDeviceAndAcknowledgesIt) {
  asha->Say(Message("M1", "1001@lid", {"1001@lid", "1001:1@lid", "2002:1@lid"}));
  const auto acks = asha->Heard();
  ASSERT_THAT(acks, SizeIs(1));
  EXPECT_EQ(acks[0].tag, "ack");
  EXPECT_EQ(acks[0].Attr("id"), "M1");
  EXPECT_FALSE(acks[0].HasAttr("error"));
  const auto messages = clinic->Heard();
  ASSERT_THAT(messages, SizeIs(1));
  const wa::Node& message = messages[0];
  EXPECT_EQ(message.AttrJid("from"), At("2002:1@lid"));
  EXPECT_EQ(message.AttrJid("sender_pn"), At("15550002222@s.whatsapp.net"));
  EXPECT_EQ(message.Attr("notify"), "Asha");
  EXPECT_EQ(message.Child("enc")->ContentText(), "1001:1@lid");
  EXPECT_EQ(message.Child("participants"), nullptr);
}

TEST_F(MessagesTest, TellsTheOtherDevicesOfTheSenderWhomItWasFor) {
  Party desk(world, "15550001111", 2);
  clinic->Heard();
  clinic->Say(Message("M1", "15550002222@s.whatsapp.net", {"15550001111:2@s.whatsapp.net"}));
  const auto messages = desk.Heard("message");
  ASSERT_THAT(messages, SizeIs(1));
  EXPECT_EQ(messages[0].AttrJid("recipient"), At("15550002222@s.whatsapp.net"));
  EXPECT_EQ(messages[0].AttrJid("peer_recipient_lid"), At("2002@lid"));
  EXPECT_FALSE(messages[0].HasAttr("sender_lid"));
}

TEST_F(MessagesTest, SendsAnIdOnceUnlessItIsAskedFor) {
  asha->Say(Message("M1", "1001@lid", {"1001:1@lid"}));
  asha->Say(Message("M1", "1001@lid", {"1001:1@lid"}));
  EXPECT_THAT(asha->Heard("ack"), SizeIs(2));
  EXPECT_THAT(clinic->Heard("message"), SizeIs(1));
  clinic->Say({"receipt",
               {{"id", "M1"}, {"to", At("2002:1@lid")}, {"type", "retry"}},
               wa::Nodes{{"retry", {{"count", "1"}, {"id", "M1"}}, {}}}});
  const auto retries = asha->Heard("receipt");
  ASSERT_THAT(retries, SizeIs(1));
  EXPECT_EQ(retries[0].AttrJid("from"), At("1001:1@lid"));
  EXPECT_NE(retries[0].Child("retry"), nullptr);
  asha->Say(Message("M1", "1001@lid", {"1001:1@lid"}));
  EXPECT_THAT(clinic->Heard("message"), SizeIs(1));
}

TEST_F(MessagesTest, KeepsAMessageUntilItIsConfirmed) {
  clinic->Away();
  asha->Say(Message("M1", "1001@lid", {"1001:1@lid"}));
  clinic->Login();
  std::erase_if(clinic->greeting, [](const wa::Node& node) { return node.tag != "message"; });
  ASSERT_THAT(clinic->greeting, SizeIs(1));
  EXPECT_EQ(clinic->greeting[0].Attr("offline"), "0");
  clinic->Say({"receipt", {{"id", "M1"}, {"to", At("2002:1@lid")}}, {}});
  const auto receipts = asha->Heard("receipt");
  ASSERT_THAT(receipts, SizeIs(1));
  EXPECT_EQ(receipts[0].AttrJid("from"), At("1001:1@lid"));
  clinic->Login();
  std::erase_if(clinic->greeting, [](const wa::Node& node) { return node.tag != "message"; });
  EXPECT_THAT(clinic->greeting, IsEmpty());
}

TEST_F(MessagesTest, RefusesLosesSpoilsAndDoublesAsOrdered) {
  Fault refusal = Of(Fault::Kind::kAckError);
  refusal.code = 463;
  const auto say = [&](const Fault& fault, const char* id) {
    ASSERT_TRUE(world.Order(fault).ok());
    asha->Say(Message(id, "1001@lid", {"1001:1@lid"}));
  };
  say(refusal, "M1");
  EXPECT_EQ(asha->Heard("ack").at(0).Attr("error"), "463");
  EXPECT_THAT(clinic->Heard("message"), IsEmpty());
  say(Of(Fault::Kind::kLoseMessage), "M2");
  EXPECT_THAT(asha->Heard("ack"), IsEmpty());
  EXPECT_THAT(clinic->Heard("message"), IsEmpty());
  say(Of(Fault::Kind::kAckSilence), "M3");
  EXPECT_THAT(asha->Heard("ack"), IsEmpty());
  EXPECT_THAT(clinic->Heard("message"), SizeIs(1));
  say(Of(Fault::Kind::kTwice), "M4");
  EXPECT_THAT(clinic->Heard("message"), SizeIs(2));
  ASSERT_TRUE(world.Order(Of(Fault::Kind::kSpoil)).ok());
  wa::Node long_one = Message("M5", "1001@lid", {"1001:1@lid"});
  wa::Node& to = std::get<wa::Nodes>(std::get<wa::Nodes>(long_one.content)[0].content)[0];
  to.content = wa::Nodes{Enc("a ciphertext of some length")};
  asha->Say(long_one);
  EXPECT_NE(clinic->Heard("message").at(0).Child("enc")->ContentText(), "a ciphertext of some length");
}

TEST_F(MessagesTest, TellsDevicesAndTheOtherAddressOfAnAccount) {
  const auto ask = [&](const wa::Node& user) {
    wa::Nodes query{{"devices", {{"version", "2"}}, {}}, {"lid", {}, {}}, {"contact", {}, {}}};
    wa::Nodes parts;
    parts.push_back({"query", {}, std::move(query)});
    parts.push_back({"list", {}, wa::Nodes{user}});
    asha->Say({"iq",
               {{"id", "7"}, {"to", wa::Jid::Server()}, {"type", "get"}, {"xmlns", "usync"}},
               wa::Nodes{{"usync", {{"sid", "s"}}, std::move(parts)}}});
    return asha->Heard("iq").at(0).Child("usync")->Child("list")->Children()[0];
  };
  const wa::Node known = ask({"user", {{"jid", At("15550001111@s.whatsapp.net")}}, {}});
  EXPECT_THAT(known.Child("devices")->Child("device-list")->Children(), SizeIs(2));
  EXPECT_EQ(known.Child("lid")->AttrJid("val"), At("1001@lid"));
  EXPECT_EQ(ask({"user", {{"jid", At("1001@lid")}}, {}}).Child("lid"), nullptr);
  const std::string digits = "+15550001111", nobody = "+19999999999";
  const wa::Node found = ask({"user", {}, wa::Nodes{{"contact", {}, Bytes(digits.begin(), digits.end())}}});
  EXPECT_EQ(found.Child("contact")->Attr("type"), "in");
  EXPECT_EQ(found.AttrJid("jid"), At("15550001111@s.whatsapp.net"));
  EXPECT_EQ(
      ask({"user", {}, wa::Nodes{{"contact", {}, Bytes(nobody.begin(), nobody.end())}}}).Child("contact")->Attr("type"),
      "out");
}

TEST_F(MessagesTest, TellsPartnersOfANewDevice) {
  asha->Say(Message("M1", "1001@lid", {"1001:1@lid"}));
  asha->Heard();
  clinic->Heard();
  Party web(world, "15550002222", 2);
  const auto heard = clinic->Heard("notification");
  ASSERT_THAT(heard, SizeIs(1));
  EXPECT_EQ(heard[0].Attr("type"), "devices");
  ASSERT_NE(heard[0].Child("add"), nullptr);
  EXPECT_EQ(heard[0].Child("add")->Child("device")->AttrJid("jid"), At("15550002222:2@s.whatsapp.net"));
  EXPECT_THAT(asha->Heard("notification"), SizeIs(2)) << "of its own account, in both forms";
}

TEST_F(MessagesTest, PassesTypingAndTrustOn) {
  asha->Say({"chatstate", {{"to", At("1001@lid")}}, wa::Nodes{{"composing", {}, {}}}});
  const auto states = clinic->Heard("chatstate");
  ASSERT_THAT(states, SizeIs(1));
  EXPECT_EQ(states[0].AttrJid("from"), At("2002@lid"));
  wa::Node token{"token", {{"jid", At("1001@lid")}, {"t", "1700000000"}, {"type", "trusted_contact"}}, {}};
  asha->Say({"iq",
             {{"id", "9"}, {"to", wa::Jid::Server()}, {"type", "set"}, {"xmlns", "privacy"}},
             wa::Nodes{{"tokens", {}, wa::Nodes{std::move(token)}}}});
  EXPECT_EQ(asha->Heard("iq").at(0).Attr("type"), "result");
  const auto tokens = clinic->Heard("notification");
  ASSERT_THAT(tokens, SizeIs(1));
  EXPECT_EQ(tokens[0].AttrJid("sender_lid"), At("2002@lid"));
  EXPECT_FALSE(tokens[0].Child("tokens")->Child("token")->ContentBytes().empty());
}

}  // namespace
}  // namespace medidesk::whatsapp_sim
