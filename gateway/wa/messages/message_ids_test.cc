#include "gateway/wa/messages/message_ids.h"

#include <gmock/gmock.h>

#include "gateway/wa/messages/contact_tokens.h"
#include "gateway/wa/testing/scripted_entropy.h"
#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa {
namespace {

using testing::HexMember;
using testing::ReadVectors;
using testing::Text;

TEST(StanzaId, IsTheOneThatTheStoreExpects) {
  const auto reply = ParseReplyId("0193a4b5-c6d7-7e8f-9a0b-1c2d3e4f5061");
  ASSERT_TRUE(reply.has_value());
  // printf '0193a4b5c6d77e8f9a0b1c2d3e4f506100' | xxd -r -p | sha256sum
  EXPECT_EQ(StanzaIdOf(*reply, 0), "3EB0F454374A51D6AD0788");
  EXPECT_EQ(StanzaIdOf(*reply, 1), "3EB0634B16F0B1174E1FDB");
}

TEST(StanzaId, ReadsUuidsOnly) {
  for (const char* text : {"", "0193a4b5c6d77e8f9a0b1c2d3e4f5061", "0193a4b5-c6d7-7e8f-9a0b-1c2d3e4f506g",
                           "0193a4b5-c6d7-7e8f-9a0b+1c2d3e4f5061", "0193a4b5-c6d7-7e8f-9a0b-1c2d3e4f50611"}) {
    EXPECT_FALSE(ParseReplyId(text).has_value()) << text;
  }
  EXPECT_EQ(ParseReplyId("0193A4B5-C6D7-7E8F-9A0B-1C2D3E4F5061"), ParseReplyId("0193a4b5-c6d7-7e8f-9a0b-1c2d3e4f5061"));
}

TEST(StanzaId, OfAnotherMessageIsTheOneOfTheVectors) {
  const boost::json::value vectors = ReadVectors("messaging-misc.json");
  for (const auto& one : vectors.at("message_id").as_array()) {
    const Entropy entropy = testing::ScriptedEntropy(HexMember(one, "random16"));
    const WallTime now(std::chrono::seconds(one.at("unix_time").as_int64()));
    EXPECT_EQ(NewStanzaId(now, Text(one, "own_user"), entropy), Text(one, "id"));
  }
}

TEST(ParticipantHash, IsTheOneOfTheVectors) {
  const boost::json::value vectors = ReadVectors("messaging-misc.json");
  for (const auto& one : vectors.at("phash").as_array()) {
    std::vector<Jid> devices;
    for (const auto& device : one.at("devices").as_array()) {
      devices.push_back(*Jid::Parse(std::string(device.as_string())));
    }
    EXPECT_EQ(ParticipantHash(devices), Text(one, "phash"));
  }
  EXPECT_TRUE(SameParticipantHash("2:a-b_", "2:a+b/"));
  EXPECT_FALSE(SameParticipantHash("2:a-b_", "2:a+b"));
}

TEST(ContactTokens, KeepTheWeeksOfTheVectors) {
  const boost::json::value vectors = ReadVectors("messaging-misc.json");
  for (const auto& one : vectors.at("tctoken_window").as_array()) {
    const std::int64_t now = one.at("now").as_int64(), time = one.at("token_t").as_int64();
    const ContactToken token{.token = {1}, .token_time = time, .given_time = time};
    EXPECT_EQ(token.ValidAt(now), !one.at("expired").as_bool());
    EXPECT_EQ(token.GiveAt(now), one.at("should_issue_again").as_bool());
    EXPECT_EQ(ContactToken::Parse(token.Serialize()), token);
  }
  EXPECT_TRUE(ContactToken{}.GiveAt(1));
  EXPECT_FALSE(ContactToken{}.ValidAt(1));
  EXPECT_EQ(ContactToken::Parse(AsBytes("\xff")), ContactToken{});
  for (const auto& one : vectors.at("cstoken").as_array()) {
    EXPECT_EQ(testing::Hex(DerivedContactToken(HexMember(one, "nct_salt"), *Jid::Parse(Text(one, "recipient")))),
              Text(one, "cstoken"));
  }
}

}  // namespace
}  // namespace medidesk::gateway::wa
