#include "gateway/bot/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/bot/testing/fake_line.h"

namespace medidesk::gateway::bot {
namespace {

using testing::FakeLine;
using Kind = wa::PartOutcome::Kind;

constexpr char kReply[] = "00000000-0000-7000-8000-000000000001";
constexpr char kOther[] = "00000000-0000-7000-8000-000000000002";

wa::Entropy Zeros() {
  return [](std::span<std::uint8_t> bytes) { std::fill(bytes.begin(), bytes.end(), std::uint8_t{0}); };
}
GovernorLimits Off() {
  GovernorLimits limits;
  limits.enabled = false;
  return limits;
}

class OutboxTest : public ::testing::Test {
 protected:
  OutboxTest() {
    line_.on_send = [this](const wa::OutboundPart& part) {
      const Kind kind = kinds_.empty() ? Kind::kAcknowledged : kinds_.front().first;
      const int code = kinds_.empty() ? 0 : kinds_.front().second;
      if (!kinds_.empty()) kinds_.pop_front();
      if (silent_) return;
      outbox_.OnOutcome({.reply_id = part.reply_id, .part = part.part, .stanza_id = "", .kind = kind, .code = code});
    };
  }
  ~OutboxTest() override {
    outbox_.Close();
    EXPECT_TRUE(line_.Until([this] { return outbox_.waiting() == 0; }));
    line_.Settle();
  }

  Outgoing Message(const std::string& id, std::string text, Origin origin = Origin::kBot) {
    return {.reply = {.id = id, .text = std::move(text), .origin = origin},
            .first_part = 0,
            .conversation_id = "c1",
            .chat = {.user = "15550001111", .server = std::string(wa::kUserServer)},
            .created = line_.now().wall,
            .last_received = line_.now().wall};
  }
  bool Empty() {
    return line_.Until([this] { return outbox_.waiting() == 0; });
  }

  FakeLine line_;
  Governor governor_{Off(), Zeros()};
  Outbox outbox_{line_, governor_, BotMetrics(), {.resend_pause = std::chrono::milliseconds(1)}};
  std::deque<std::pair<Kind, int>> kinds_;
  bool silent_ = false;
};

TEST_F(OutboxTest, SendsAReplyOnce) {
  EXPECT_TRUE(outbox_.Deliver(Message(kReply, "**Hello**")));
  EXPECT_FALSE(outbox_.Deliver(Message(kReply, "**Hello**")));  // the feed brings it, too
  ASSERT_TRUE(Empty());
  ASSERT_EQ(line_.sent.size(), 1u);
  EXPECT_EQ(line_.sent[0].text, "*Hello*");
  EXPECT_EQ(line_.sent[0].part_count, 1);
  EXPECT_TRUE(line_.ended.empty());
}

TEST_F(OutboxTest, SendsATextOfTheGateOnceThoughTheStoreHearsOfItLater) {
  EXPECT_TRUE(outbox_.Deliver(Message(kReply, "Call 112", Origin::kGate)));
  ASSERT_TRUE(Empty());
  EXPECT_FALSE(outbox_.Deliver(Message(kReply, "Call 112", Origin::kGate)));
  kinds_ = {{Kind::kNoDevice, 0}};
  EXPECT_TRUE(outbox_.Deliver(Message(kOther, "Call 112", Origin::kGate)));
  ASSERT_TRUE(Empty());
  EXPECT_TRUE(outbox_.Deliver(Message(kOther, "Call 112", Origin::kGate))) << "it did not arrive";
  ASSERT_TRUE(Empty());
  EXPECT_EQ(line_.sent.size(), 3u);
}

TEST_F(OutboxTest, LeavesWhatStaffWroteAsItIs) {
  outbox_.Deliver(Message(kReply, "**Hello**", Origin::kStaff));
  ASSERT_TRUE(Empty());
  EXPECT_EQ(line_.sent.at(0).text, "**Hello**");
}

TEST_F(OutboxTest, SendsPartsOneAfterTheOther) {
  silent_ = true;
  outbox_.Deliver(Message(kReply, std::string(5'000, 'a')));
  ASSERT_TRUE(line_.Until([this] { return !line_.sent.empty(); }));
  line_.Settle();
  ASSERT_EQ(line_.sent.size(), 1u);
  EXPECT_EQ(line_.sent[0].part_count, 2);
  silent_ = false;
  outbox_.OnOutcome({.reply_id = kReply, .part = 0, .stanza_id = "", .kind = Kind::kAcknowledged, .code = 0});
  ASSERT_TRUE(Empty());
  EXPECT_EQ(line_.sent.size(), 2u);
  EXPECT_EQ(line_.sent[1].part, 1);
}

TEST_F(OutboxTest, KeepsTheOrderWithinAChatAndLetsTheGateGoFirst) {
  silent_ = true;
  outbox_.Deliver(Message(kReply, "first"));
  outbox_.Deliver(Message(kOther, "second"));
  outbox_.Deliver(Message("00000000-0000-7000-8000-000000000003", "CALL 112", Origin::kGate));
  ASSERT_TRUE(line_.Until([this] { return line_.sent.size() == 2; }));
  line_.Settle();
  ASSERT_EQ(line_.sent.size(), 2u);
  std::vector<std::string> texts = {line_.sent[0].text, line_.sent[1].text};
  EXPECT_THAT(texts, ::testing::UnorderedElementsAre("first", "CALL 112"));
  silent_ = false;
  for (const char* id : {kReply, "00000000-0000-7000-8000-000000000003"}) {
    outbox_.OnOutcome({.reply_id = id, .part = 0, .stanza_id = "", .kind = Kind::kAcknowledged, .code = 0});
  }
  ASSERT_TRUE(Empty());
  EXPECT_EQ(line_.sent.back().text, "second");
}

TEST_F(OutboxTest, StopsWhatAPersonHasTakenOver) {
  silent_ = true;
  outbox_.Deliver(Message(kReply, std::string(5'000, 'a')));
  ASSERT_TRUE(line_.Until([this] { return !line_.sent.empty(); }));
  outbox_.OnHeld(kReply, 0, /*done=*/false);
  ASSERT_TRUE(Empty());
  EXPECT_EQ(line_.sent.size(), 1u);
  EXPECT_TRUE(line_.ended.empty());  // the store knows already
}

TEST_F(OutboxTest, GoesOnAfterAPartThatWasDoneBefore) {
  silent_ = true;
  outbox_.Deliver(Message(kReply, std::string(5'000, 'a')));
  ASSERT_TRUE(line_.Until([this] { return !line_.sent.empty(); }));
  silent_ = false;
  outbox_.OnHeld(kReply, 0, /*done=*/true);
  ASSERT_TRUE(Empty());
  EXPECT_EQ(line_.sent.size(), 2u);
}

TEST_F(OutboxTest, SendsAgainOnceWithoutAnAckThenGivesUp) {
  kinds_ = {{Kind::kNoAck, 0}, {Kind::kNoAck, 0}};
  outbox_.Deliver(Message(kReply, "a"));
  ASSERT_TRUE(Empty());
  EXPECT_EQ(line_.sent.size(), 2u);
  ASSERT_EQ(line_.ended.size(), 1u);
  EXPECT_EQ(line_.ended[0].end, PartEnd::kUnknown);
  EXPECT_EQ(line_.ended[0].failure, "no_ack");
  EXPECT_EQ(line_.ended[0].stanza_id, wa::StanzaIdOf(*wa::ParseReplyId(kReply), 0));
}

TEST_F(OutboxTest, NeverSendsAgainAfter463AndSendsOnceMoreAfter479) {
  kinds_ = {{Kind::kRefused, 463}};
  outbox_.Deliver(Message(kReply, "a"));
  ASSERT_TRUE(Empty());
  EXPECT_EQ(line_.sent.size(), 1u);
  EXPECT_EQ(line_.ended.at(0).failure, "ack.463");
  EXPECT_EQ(governor_.refused(), 1);
  kinds_ = {{Kind::kRefused, 479}};
  outbox_.Deliver(Message(kOther, "b"));
  ASSERT_TRUE(Empty());
  EXPECT_EQ(line_.sent.size(), 3u);
  EXPECT_EQ(line_.ended.size(), 1u);
}

TEST_F(OutboxTest, WaitsForTheLineAndExpires) {
  line_.is_online = false;
  outbox_.Deliver(Message(kReply, "a"));
  line_.Settle();
  EXPECT_TRUE(line_.sent.empty());
  line_.skipped = std::chrono::minutes(11);
  outbox_.OnLineChanged();
  ASSERT_TRUE(Empty());
  ASSERT_EQ(line_.ended.size(), 1u);
  EXPECT_EQ(line_.ended[0].failure, "expired");
  outbox_.Deliver(Message(kOther, "b"));
  line_.Settle();
  line_.is_online = true;
  outbox_.OnLineChanged();
  ASSERT_TRUE(Empty());
  EXPECT_EQ(line_.sent.size(), 1u);
}

TEST_F(OutboxTest, EndsWhatHasNoDevice) {
  kinds_ = {{Kind::kNoDevice, 0}};
  outbox_.Deliver(Message(kReply, "a"));
  ASSERT_TRUE(Empty());
  EXPECT_EQ(line_.ended.at(0).failure, "no_device");
}

}  // namespace
}  // namespace medidesk::gateway::bot
