#include "tests/sim/whatsapp/node_json.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace medidesk::whatsapp_sim {
namespace {

namespace wa = gateway::wa;

TEST(NodeJson, ReadsBackWhatItWrites) {
  const wa::Node node{"iq",
                      {{"id", "7"}, {"to", wa::Jid::Server()}},
                      wa::Nodes{{"ref", {}, std::vector<std::uint8_t>{1, 2, 255}},
                                {"word", {}, std::string("text")},
                                {"bytes", {}, std::vector<std::uint8_t>{'a', 'b'}},
                                {"empty", {}, wa::Nodes{}},
                                {"none", {}, {}}}};
  const auto read = NodeFromJson(NodeToJson(node));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, node);
}

TEST(NodeJson, TakesAddressesForAddressesAndOtherTextForText) {
  const auto node = NodeFromJson(boost::json::parse(R"({"tag":"x","attrs":{"from":"1:2@lid","name":"me@home"}})"));
  ASSERT_TRUE(node.ok());
  EXPECT_TRUE(node->attributes[0].is_jid);
  EXPECT_FALSE(node->attributes[1].is_jid);
}

TEST(NodeJson, RefusesWhatIsNoNode) {
  for (const char* text : {"[]", "{}", R"({"tag":""})", R"({"tag":"x","attrs":{"a":1}})", R"({"tag":"x","hex":"0"})",
                           R"({"tag":"x","children":[{}]})", R"({"tag":"x","more":1})"}) {
    EXPECT_FALSE(NodeFromJson(boost::json::parse(text)).ok()) << text;
  }
}

}  // namespace
}  // namespace medidesk::whatsapp_sim
