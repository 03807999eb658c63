#include "gateway/wa/stanza_ack.h"

#include <gtest/gtest.h>

namespace medidesk::gateway::wa {
namespace {

const Jid kOwn = *Jid::Parse("15550001111:7@s.whatsapp.net");
const Jid kPatient = *Jid::Parse("222222222222222:3@lid");

TEST(StanzaAck, AcknowledgesANotificationWithItsType) {
  const Node notification{"notification", {{"id", "9"}, {"from", Jid::Server()}, {"type", "encrypt"}, {"t", "1"}}, {}};
  EXPECT_EQ(AckOf(notification, kOwn),
            (Node{"ack", {{"class", "notification"}, {"id", "9"}, {"to", Jid::Server()}, {"type", "encrypt"}}, {}}));
}

TEST(StanzaAck, InventsNoType) {
  const Node receipt{"receipt", {{"id", "9"}, {"from", kPatient}}, {}};
  EXPECT_EQ(AckOf(receipt, kOwn), (Node{"ack", {{"class", "receipt"}, {"id", "9"}, {"to", kPatient}}, {}}));
}

TEST(StanzaAck, NamesUsInAMessagesAckButNotItsType) {
  const Node message{
      "message",
      {{"id", "9"}, {"from", kPatient}, {"type", "text"}, {"participant", kPatient}, {"recipient", kOwn}},
      {}};
  EXPECT_EQ(AckOf(message, kOwn), (Node{"ack",
                                        {{"class", "message"},
                                         {"id", "9"},
                                         {"to", kPatient},
                                         {"participant", kPatient},
                                         {"recipient", kOwn},
                                         {"from", kOwn}},
                                        {}}));
}

TEST(StanzaAck, AcknowledgesUnknownStanzasToo) {
  EXPECT_TRUE(AckOf(Node{"status", {{"id", "9"}, {"from", kPatient}}, {}}, kOwn).has_value());
}

TEST(StanzaAck, LeavesAloneWhatIsNeverAcknowledged) {
  for (const auto* tag : {"iq", "ib", "presence", "chatstate", "ack", "success", "failure", "stream:error"}) {
    EXPECT_EQ(AckOf(Node{tag, {{"id", "9"}, {"from", kPatient}}, {}}, kOwn), std::nullopt) << tag;
  }
  EXPECT_EQ(AckOf(Node{"receipt", {{"from", kPatient}}, {}}, kOwn), std::nullopt);
  EXPECT_EQ(AckOf(Node{"receipt", {{"id", "9"}}, {}}, kOwn), std::nullopt);
  EXPECT_EQ(AckOf(Node{"receipt", {{"id", "9"}, {"from", "nowhere"}}, {}}, kOwn), std::nullopt);
}

}  // namespace
}  // namespace medidesk::gateway::wa
