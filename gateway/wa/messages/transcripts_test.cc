// Stanzas as real clients wrote them and accepted them: what the layer reads of them, and that it leaves none
// unanswered.
#include <gmock/gmock.h>

#include "gateway/wa/messages/iq_peers.h"
#include "gateway/wa/messages/testing/message_world.h"
#include "gateway/wa/testing/node_json.h"

namespace medidesk::gateway::wa {
namespace {

using testing::At;
using testing::MessageWorld;

std::vector<Node> StanzasFrom(std::string_view side) {
  const boost::json::value vectors = testing::ReadVectors("stanzas.json");
  std::vector<Node> nodes;
  for (const auto& one : vectors.at("stanzas").as_array()) {
    if (testing::Text(one, "from") == side) nodes.push_back(testing::NodeFrom(one.at("node")));
  }
  return nodes;
}

TEST(Transcripts, DeviceListsAndKeysAreRead) {
  int lists = 0, bundles = 0;
  for (const Node& node : StanzasFrom("server")) {
    if (node.tag != "iq" || node.Attr("type") != "result") continue;
    if (const Node* usync = node.Child("usync"); usync != nullptr) {
      const auto accounts = DeviceListRequest::Parse(node);
      ASSERT_TRUE(accounts.ok());
      for (const auto& account : *accounts) {
        if (!account.known) continue;
        ++lists;
        EXPECT_FALSE(account.list.devices.empty());
        for (const Jid& device : account.list.devices) EXPECT_NE(device.device, 99);
      }
    }
    const Node* list = node.Child("list");
    if (list == nullptr || list->Children().empty() || list->Children()[0].Child("registration") == nullptr) continue;
    const auto keys = PreKeyBundleRequest::Parse(node);
    ASSERT_TRUE(keys.ok());
    for (const auto& one : *keys) {
      ++bundles;
      ASSERT_TRUE(one.bundle.has_value());
      EXPECT_TRUE(Verify(one.bundle->identity, TypedKey(one.bundle->signed_pre_key), one.bundle->signature));
    }
  }
  EXPECT_GT(lists, 3);
  EXPECT_GT(bundles, 3);
}

TEST(Transcripts, QuestionsLookLikeTheirs) {
  bool usync = false, keys = false;
  for (const Node& node : StanzasFrom("client")) {
    if (node.tag != "iq") continue;
    if (node.Attr("xmlns") == "usync" && node.Child("usync")->Child("query")->Child("devices") != nullptr) {
      usync = true;
      const DeviceListRequest request{.accounts = {At("1@lid")}};
      const Node ours = request.Build(node.Attr("id"));
      EXPECT_EQ(ours.Attr("type"), node.Attr("type"));
      for (const char* name : {"mode", "last", "index"}) {
        EXPECT_EQ(ours.Child("usync")->Attr(name), node.Child("usync")->Attr(name));
      }
      EXPECT_EQ(ours.Child("usync")->Child("query")->Child("devices")->Attr("version"),
                node.Child("usync")->Child("query")->Child("devices")->Attr("version"));
    }
    if (node.Attr("xmlns") == "encrypt" && node.Child("key") != nullptr) {
      keys = true;
      const PreKeyBundleRequest request{.devices = {At("1:2@lid")}, .new_identity = true};
      EXPECT_EQ(request.Build("1").Attr("type"), node.Attr("type"));
      EXPECT_NE(node.Child("key")->Child("user")->AttrJid("jid"), std::nullopt);
    }
  }
  EXPECT_TRUE(usync && keys);
}

TEST(Transcripts, EveryStanzaIsConfirmed) {
  MessageWorld world;
  world.credentials.account->jid = At("34600000001:12@s.whatsapp.net");
  world.credentials.account->lid = At("111111111111111:12@lid");
  world.Restart();
  int confirmed = 0;
  for (const Node& node : StanzasFrom("server")) {
    const bool counts = node.tag == "message" || node.tag == "receipt" || node.tag == "notification";
    if (!counts || !node.HasAttr("id") || !node.HasAttr("from")) continue;
    SCOPED_TRACE(node.tag + " " + std::string(node.Attr("type")));
    world.sent.clear();
    world.Receive(node);
    ++confirmed;
    const bool answered = std::any_of(world.sent.begin(), world.sent.end(), [&](const Node& sent) {
      return (sent.tag == "ack" || sent.tag == "receipt") && sent.Attr("id") == node.Attr("id");
    });
    EXPECT_TRUE(answered);
    for (const Node& sent : world.sent) EXPECT_FALSE(sent.HasAttr("error")) << "no refusals";
  }
  EXPECT_GT(confirmed, 30);
}

TEST(PeerQuestions, AnswersThatAreCutShortAreRefusedOrLeftOut) {
  EXPECT_FALSE(DeviceListRequest::Parse({"iq", {}, {}}).ok());
  EXPECT_FALSE(PreKeyBundleRequest::Parse({"iq", {}, {}}).ok());
  testing::SignalPeer peer(At("222@lid"), 5);
  const Nodes whole = MessageWorld::KeysOf(peer.Bundle());
  const Node good{"user", {{"jid", At("222@lid")}}, whole};
  EXPECT_EQ(ReadBundle(good, good)->identity, peer.keys.identity.public_key);
  for (std::size_t left_out = 0; left_out < whole.size(); ++left_out) {
    Nodes cut = whole;
    const std::string tag = cut[left_out].tag;
    cut.erase(cut.begin() + static_cast<std::ptrdiff_t>(left_out));
    const Node node{"user", {}, std::move(cut)};
    const auto bundle = ReadBundle(node, node);
    EXPECT_EQ(bundle.has_value(), tag == "type" || tag == "key") << tag;
  }
  Nodes devices{{"device", {{"id", "0"}}, {}},
                {"device", {{"id", "5"}}, {}},
                {"device", {{"id", "99"}, {"key-index", "1"}}, {}},
                {"device", {{"id", "700"}, {"key-index", "1"}}, {}},
                {"device", {{"id", "3"}, {"key-index", "2"}}, {}}};
  Node user{"user", {{"jid", At("222@lid")}}, Nodes{{"devices", {}, Nodes{{"device-list", {}, std::move(devices)}}}}};
  const Node answer{"iq", {}, Nodes{{"usync", {}, Nodes{{"list", {}, Nodes{std::move(user)}}}}}};
  const auto accounts = DeviceListRequest::Parse(answer);
  ASSERT_TRUE(accounts.ok());
  EXPECT_THAT(accounts->at(0).list.devices, ::testing::ElementsAre(At("222@lid"), At("222:3@lid")));
}

}  // namespace
}  // namespace medidesk::gateway::wa
