#include "gateway/bot/turn_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/bot/testing/fake_line.h"

namespace medidesk::gateway::bot {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing::FakeBackend;
using testing::FakeLine;

class TurnDeskTest : public ::testing::Test {
 protected:
  TurnDeskTest() {
    line_.on_send = [this](const wa::OutboundPart& part) {
      outbox_.OnOutcome({.reply_id = part.reply_id,
                         .part = part.part,
                         .stanza_id = "",
                         .kind = wa::PartOutcome::Kind::kAcknowledged,
                         .code = 0});
    };
  }
  ~TurnDeskTest() override {
    backend_.held = false;
    desk_.Close();
    outbox_.Close();
    EXPECT_TRUE(Idle());
    line_.Settle();
  }
  bool Idle() {
    return line_.Until([this] { return desk_.turns() == 0 && outbox_.waiting() == 0; });
  }

  static GovernorLimits Off() {
    GovernorLimits limits;
    limits.enabled = false;
    return limits;
  }
  AcceptedMessage Accepted(const std::string& turn, const std::string& conversation = "c1",
                           const std::string& id = "m") {
    AcceptedMessage accepted;
    accepted.message.id = id;
    accepted.message.chat = {.user = "1555000" + conversation, .server = std::string(wa::kUserServer)};
    accepted.message.text = "hello";
    accepted.language = "en";
    accepted.conversation_id = conversation;
    accepted.turn_id = turn;
    accepted.turn_state = TurnState::kOpen;
    return accepted;
  }
  std::vector<std::string> Texts() {
    std::vector<std::string> texts;
    for (const wa::OutboundPart& part : line_.sent) texts.push_back(part.text);
    return texts;
  }
  static TurnDesk::Options Fast() {
    TurnDesk::Options options;
    options.burst_quiet = milliseconds(30);
    options.burst_limit = milliseconds(200);
    return options;
  }

  FakeLine line_;
  FakeBackend backend_{line_};
  const safety::Gate gate_ = *safety::Gate::Make(safety::EmbeddedTables());
  const safety::Texts texts_ = *safety::Texts::Make(safety::EmbeddedTexts());
  Screening screening_{gate_, texts_};
  Governor governor_{Off(), [](std::span<std::uint8_t> bytes) { std::fill(bytes.begin(), bytes.end(), 0); }};
  Outbox outbox_{line_, governor_, BotMetrics(), Outbox::Options()};
  TurnDesk desk_{line_,
                 backend_,
                 outbox_,
                 screening_,
                 BotMetrics(),
                 [this](safety::FixedKind kind, const std::string& language) { return texts_.Fixed(kind, language); },
                 Fast()};
};

TEST_F(TurnDeskTest, AnswersABurstOnceAfterItsEnd) {
  desk_.OnAccepted(Accepted("t1", "c1", "m1"));
  desk_.OnAccepted(Accepted("t1", "c1", "m2"));
  ASSERT_TRUE(Idle());
  EXPECT_THAT(backend_.asked, ElementsAre("t1"));
  EXPECT_THAT(Texts(), ElementsAre("answer to t1"));
  EXPECT_THAT(line_.read, ElementsAre("m1", "m2"));
  EXPECT_THAT(line_.typing, ElementsAre(true));
}

TEST_F(TurnDeskTest, WaitsWhileThePatientWrites) {
  desk_.OnAccepted(Accepted("t1"));
  const auto start = std::chrono::steady_clock::now();
  // Typing goes on until the limit.
  ASSERT_TRUE(line_.Until([&] {
    desk_.OnTyping(Accepted("t1").message.chat);
    return !backend_.asked.empty();
  }));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(200));
  ASSERT_TRUE(Idle());
}

TEST_F(TurnDeskTest, WaitsUntilTheBacklogHasCome) {
  line_.is_caught_up = false;
  desk_.OnAccepted(Accepted("t1"));
  const auto end = std::chrono::steady_clock::now() + milliseconds(300);
  line_.Until([&] { return std::chrono::steady_clock::now() > end; });
  EXPECT_TRUE(backend_.asked.empty());
  line_.is_caught_up = true;
  desk_.OnLineChanged();
  ASSERT_TRUE(Idle());
  EXPECT_THAT(backend_.asked, ElementsAre("t1"));
}

TEST_F(TurnDeskTest, KeepsTheOrderWhenAnEarlierOwnersChatCannotBeLookedUpAtOnce) {
  backend_.lost_recipients = 2;
  desk_.Recover({{.id = "t1", .conversation_id = "c1"}});
  desk_.OnAccepted(Accepted("t2"));
  ASSERT_TRUE(Idle());
  EXPECT_THAT(Texts(), ElementsAre("answer to t1", "answer to t2"));
}

TEST_F(TurnDeskTest, AnswersInOrderWhatComesAfterAMerge) {
  backend_.held = true;
  AcceptedMessage by_lid = Accepted("t1", "c1");
  by_lid.message.chat = {.user = "777", .server = std::string(wa::kLidServer)};
  desk_.OnAccepted(by_lid);
  ASSERT_TRUE(line_.Until([&] { return backend_.asked.size() == 1; }));
  const AcceptedMessage by_phone = Accepted("t2", "c2");  // in the conversation that has survived
  desk_.OnMerged(by_phone.message.chat, by_lid.message.chat);
  desk_.OnAccepted(by_phone);
  const auto end = std::chrono::steady_clock::now() + milliseconds(100);
  line_.Until([&] { return std::chrono::steady_clock::now() > end; });
  EXPECT_THAT(backend_.asked, ElementsAre("t1"));
  backend_.held = false;
  ASSERT_TRUE(Idle());
  EXPECT_THAT(Texts(), ElementsAre("answer to t1", "answer to t2"));
  // Nothing is under way any more: the next one stands in its own conversation.
  backend_.held = true;
  desk_.OnAccepted(Accepted("t3", "c2"));
  ASSERT_TRUE(line_.Until([&] { return backend_.asked.size() == 3; }));
  backend_.held = false;
  ASSERT_TRUE(Idle());
}

TEST_F(TurnDeskTest, AnswersTheTurnsOfAConversationInTheirOrder) {
  backend_.held = true;
  desk_.OnAccepted(Accepted("t1"));
  ASSERT_TRUE(line_.Until([&] { return backend_.asked.size() == 1; }));
  desk_.OnAccepted(Accepted("t2"));
  desk_.OnAccepted(Accepted("t3", "c2"));
  ASSERT_TRUE(line_.Until([&] { return backend_.asked.size() == 2; }));
  EXPECT_THAT(backend_.asked, ElementsAre("t1", "t3"));  // another conversation does not wait
  backend_.held = false;
  ASSERT_TRUE(Idle());
  EXPECT_THAT(backend_.asked, ElementsAre("t1", "t3", "t2"));
}

TEST_F(TurnDeskTest, TriesAgainWhileTheAssistantIsAway) {
  backend_.failures = {Error(absl::StatusCode::kUnavailable, "away"), Error(absl::StatusCode::kAborted, "claimed")};
  desk_.OnAccepted(Accepted("t1"));
  ASSERT_TRUE(Idle());
  EXPECT_EQ(backend_.asked.size(), 3u);
  EXPECT_THAT(Texts(), ElementsAre("answer to t1"));
}

TEST_F(TurnDeskTest, ApologisesWhenNoAnswerComesInTime) {
  backend_.failures.assign(1'000, Error(absl::StatusCode::kUnavailable, "away"));
  desk_.OnAccepted(Accepted("t1"));
  ASSERT_TRUE(line_.Until([&] { return backend_.asked.size() == 1; }));
  line_.skipped = std::chrono::seconds(33);
  ASSERT_TRUE(Idle());
  ASSERT_EQ(backend_.committed.size(), 1u);
  EXPECT_EQ(backend_.committed[0].source, "apology");
  EXPECT_EQ(backend_.committed[0].task, "no_answer");
  EXPECT_THAT(Texts(), ElementsAre(texts_.Fixed(safety::FixedKind::kApology, "en")));
}

TEST_F(TurnDeskTest, SaysThatItCannotReadMedia) {
  AcceptedMessage accepted = Accepted("t1");
  accepted.message.kind = wa::InboundKind::kUnreadable;
  desk_.OnAccepted(accepted);
  ASSERT_TRUE(Idle());
  EXPECT_TRUE(backend_.asked.empty());
  EXPECT_EQ(backend_.committed.at(0).source, "cannot_read");
  EXPECT_THAT(Texts(), ElementsAre(texts_.Fixed(safety::FixedKind::kCannotRead, "en")));
}

TEST_F(TurnDeskTest, LetsTheAssistantAnswerMediaWithWords) {
  AcceptedMessage accepted = Accepted("t1");
  accepted.message.kind = wa::InboundKind::kUnreadable;
  desk_.OnAccepted(accepted);
  desk_.OnAccepted(Accepted("t1", "c1", "m2"));
  ASSERT_TRUE(Idle());
  EXPECT_THAT(backend_.asked, ElementsAre("t1"));
}

TEST_F(TurnDeskTest, GivesTheStaleNoticeAtOnce) {
  AcceptedMessage accepted = Accepted("t1");
  accepted.stale_notice_due = true;
  desk_.OnAccepted(accepted);
  ASSERT_TRUE(Idle());
  EXPECT_EQ(backend_.committed.at(0).source, "stale_notice");
  EXPECT_TRUE(backend_.asked.empty());
}

TEST_F(TurnDeskTest, SendsTheGatesTextWithoutWaiting) {
  line_.is_caught_up = false;
  AcceptedMessage accepted = Accepted("t1");
  accepted.turn_state = TurnState::kAnswered;
  accepted.reply = Reply{.id = FakeBackend::ReplyIdOf("t1"), .text = "CALL 112", .origin = Origin::kGate};
  desk_.OnAccepted(accepted);
  ASSERT_TRUE(Idle());
  EXPECT_THAT(Texts(), ElementsAre("CALL 112"));
}

TEST_F(TurnDeskTest, DropsATurnThatTheGateAnswered) {
  desk_.OnAccepted(Accepted("t1"));
  AcceptedMessage accepted = Accepted("t1", "c1", "m2");
  accepted.turn_state = TurnState::kAnswered;
  accepted.reply = Reply{.id = FakeBackend::ReplyIdOf("t1"), .text = "CALL 112", .origin = Origin::kGate};
  desk_.OnAccepted(accepted);
  ASSERT_TRUE(Idle());
  EXPECT_TRUE(backend_.asked.empty());
  EXPECT_THAT(Texts(), ElementsAre("CALL 112"));
}

TEST_F(TurnDeskTest, StaysSilentWhenAPersonHasTakenOver) {
  backend_.silent = true;
  desk_.OnAccepted(Accepted("t1"));
  ASSERT_TRUE(Idle());
  EXPECT_TRUE(line_.sent.empty());
  EXPECT_THAT(line_.typing, ElementsAre(true, false));
}

TEST_F(TurnDeskTest, AnswersATurnThatOnlyTheStoreKnows) {
  desk_.Recover({{.id = "t1", .conversation_id = "c1"}});
  desk_.Recover({{.id = "t1", .conversation_id = "c1"}});
  ASSERT_TRUE(Idle());
  EXPECT_THAT(backend_.asked, ElementsAre("t1"));
  ASSERT_EQ(line_.sent.size(), 1u);
  EXPECT_EQ(line_.sent[0].chat.ToString(), "15550001111@s.whatsapp.net");
}

TEST_F(TurnDeskTest, PutsWhatComesToLightInItsPlace) {
  line_.is_caught_up = false;
  desk_.OnAccepted(Accepted("t3"));
  line_.Settle();
  desk_.Recover({{.id = "t1", .conversation_id = "c1"},
                 {.id = "t2", .conversation_id = "c1"},
                 {.id = "t3", .conversation_id = "c1"}});
  line_.is_caught_up = true;
  desk_.OnLineChanged();
  ASSERT_TRUE(Idle());
  EXPECT_THAT(Texts(), ElementsAre("answer to t1", "answer to t2", "answer to t3"));
}

TEST(AddressOf, ReadsPhonesAndHiddenIds) {
  EXPECT_EQ(AddressOf("+15550001111")->ToString(), "15550001111@s.whatsapp.net");
  EXPECT_EQ(AddressOf("lid:1234")->ToString(), "1234@lid");
  for (const char* bad : {"", "+", "lid:", "15550001111", "+1555x", "lid:12 3"}) EXPECT_FALSE(AddressOf(bad)) << bad;
}

}  // namespace
}  // namespace medidesk::gateway::bot
