#include "gateway/wa/node.h"

#include <gtest/gtest.h>

namespace medidesk::gateway::wa {
namespace {

TEST(Node, FindsAttributesAndTheLastOfTwoCounts) {
  const Node node{"iq", {{"id", "1"}, {"to", Jid::Server()}, {"id", "2"}}, {}};
  EXPECT_EQ(node.Attr("id"), "2");
  EXPECT_EQ(node.Attr("to"), "@s.whatsapp.net");
  EXPECT_EQ(node.Attr("type"), "");
  EXPECT_TRUE(node.HasAttr("to"));
  EXPECT_FALSE(node.HasAttr("type"));
}

TEST(Node, ReadsTheServersAddressInEveryForm) {
  for (const Attribute& from :
       {Attribute("from", Jid::Server()), Attribute("from", "s.whatsapp.net"), Attribute("from", "@s.whatsapp.net")}) {
    const Node node{"iq", {from}, {}};
    ASSERT_TRUE(node.AttrJid("from").has_value()) << from.value;
    EXPECT_TRUE(node.AttrJid("from")->IsServer()) << from.value;
  }
  EXPECT_EQ(Node{"iq"}.AttrJid("from"), std::nullopt);
}

TEST(Node, ReadsNumbersStrictly) {
  const auto number = [](std::string_view text) { return Node{"x", {{"t", text}}, {}}.AttrNumber("t"); };
  EXPECT_EQ(number("1750000000"), 1750000000u);
  EXPECT_EQ(number("0"), 0u);
  for (const auto bad : {"", "-1", "+1", "1x", " 1", "99999999999999999999"})
    EXPECT_EQ(number(bad), std::nullopt) << bad;
}

TEST(Node, SetsAnAttributeOnce) {
  Node node{"iq", {{"id", "1"}, {"id", "2"}, {"type", "get"}}, {}};
  node.SetAttr({"id", "3"});
  EXPECT_EQ(node, (Node{"iq", {{"type", "get"}, {"id", "3"}}, {}}));
}

TEST(Node, GivesTextAndBytesOfEither) {
  const Node bytes{"ref", {}, ToBytes("abc")};
  const Node text{"ref", {}, std::string("abc")};
  for (const Node* node : {&bytes, &text}) {
    EXPECT_EQ(node->ContentText(), "abc");
    EXPECT_EQ(ToBytes(node->ContentBytes()), (Bytes{'a', 'b', 'c'}));
    EXPECT_TRUE(node->Children().empty());
  }
  EXPECT_NE(bytes, text);
}

TEST(Node, FindsTheFirstChildOfATag) {
  const Node node{"iq", {}, Nodes{{"ref", {{"n", "1"}}, {}}, {"other"}, {"ref", {{"n", "2"}}, {}}}};
  ASSERT_NE(node.Child("ref"), nullptr);
  EXPECT_EQ(node.Child("ref")->Attr("n"), "1");
  EXPECT_EQ(node.Child("missing"), nullptr);
  EXPECT_EQ(node.Children().size(), 3u);
  EXPECT_EQ(node.ContentText(), "");
}

}  // namespace
}  // namespace medidesk::gateway::wa
