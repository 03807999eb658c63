// Parts that go out, what becomes of them, and devices that ask for them again.
#include <gmock/gmock.h>

#include "gateway/wa/messages/contact_tokens.h"
#include "gateway/wa/messages/message_ids.h"
#include "gateway/wa/messages/testing/message_world.h"

namespace medidesk::gateway::wa {
namespace {

using testing::At;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MessageWorld;
using testing::SignalPeer;
using ::testing::SizeIs;

constexpr char kPatient[] = "222222222222222@lid";
constexpr char kPatientWeb[] = "222222222222222:3@lid";
constexpr char kPatientByPhone[] = "34600000002@s.whatsapp.net";
constexpr char kOwnPhone[] = "111111111111111@lid";
constexpr char kReply[] = "0193a4b5-c6d7-7e8f-9a0b-1c2d3e4f5061";

class SendingTest : public ::testing::Test {
 protected:
  SendingTest() {
    world.Peer(kPatient);
    world.Peer(kPatientWeb);
    world.Peer(kOwnPhone);
  }
  std::string Id(int part = 0) const { return StanzaIdOf(*ParseReplyId(kReply), part); }
  // A request as a device of the patient makes it.
  Node RetryOf(const char* device, int count, bool keys) {
    SignalPeer& peer = world.Peer(device);
    Node retry{"retry", {{"v", "1"}, {"count", std::to_string(count)}, {"id", Id()}, {"t", "1700000000"}}, {}};
    Nodes children{std::move(retry), {"registration", {}, WriteNumber(peer.keys.registration_id, 4)}};
    if (keys) children.push_back({"keys", {}, MessageWorld::KeysOf(peer.Bundle())});
    return {
        "receipt", {{"id", Id()}, {"from", At(device)}, {"type", "retry"}, {"t", "1700000000"}}, std::move(children)};
  }
  int CountQuestions(std::string_view xmlns) {
    return static_cast<int>(std::count_if(world.questions.begin(), world.questions.end(),
                                          [&](const Node& node) { return node.Attr("xmlns") == xmlns; }));
  }

  MessageWorld world;
};

TEST_F(SendingTest, ReachesAllDevicesOfThePatientAndOurOwn) {
  world.Say(kPatient, "hello", "M1", {{"sender_pn", At(kPatientByPhone)}});
  ASSERT_TRUE(world.Send(At(kPatient), "Good morning").ok());
  const auto stanza = world.Take("message");
  ASSERT_TRUE(stanza.has_value());
  EXPECT_EQ(stanza->Attr("id"), Id());
  EXPECT_EQ(stanza->AttrJid("to"), At(kPatient));
  EXPECT_EQ(stanza->Attr("type"), "text");
  EXPECT_EQ(stanza->AttrJid("peer_recipient_pn"), At(kPatientByPhone));
  EXPECT_FALSE(stanza->HasAttr("phash"));
  ASSERT_NE(stanza->Child("device-identity"), nullptr);
  EXPECT_THAT(stanza->Child("participants")->Children(), SizeIs(3));
  for (const char* device : {kPatient, kPatientWeb}) {
    const auto message = world.Read(*stanza, device);
    ASSERT_TRUE(message.has_value()) << device;
    EXPECT_EQ(message->conversation(), "Good morning");
    EXPECT_EQ(message->message_context_info().message_secret().size(), 32u);
    EXPECT_EQ(message->message_context_info().device_list_metadata().recipient_timestamp(), 1'690'000'000u);
  }
  const auto ours = world.Read(*stanza, kOwnPhone);
  ASSERT_TRUE(ours.has_value());
  EXPECT_EQ(ours->device_sent_message().destination_jid(), kPatient);
  EXPECT_EQ(ours->device_sent_message().message().conversation(), "Good morning");
  EXPECT_EQ(ours->message_context_info().message_secret().size(), 32u);
  ASSERT_THAT(world.attempts, SizeIs(1));
  EXPECT_EQ(world.attempts[0].stanza_id, Id());
  EXPECT_EQ(world.attempts[0].reply_id, kReply);
  EXPECT_FALSE(world.attempts[0].retry);
}

TEST_F(SendingTest, AsksOnceForDevicesAndKeys) {
  ASSERT_TRUE(world.Send(At(kPatient), "one", 0).ok());
  ASSERT_TRUE(world.Send(At(kPatient), "two", 1).ok());
  EXPECT_EQ(CountQuestions("usync"), 1);
  EXPECT_EQ(CountQuestions("encrypt"), 1);
  world.Advance(std::chrono::hours(2));
  ASSERT_TRUE(world.Send(At(kPatient), "three", 2).ok());
  EXPECT_EQ(CountQuestions("usync"), 2) << "lists grow old";
  EXPECT_EQ(CountQuestions("encrypt"), 1);
}

TEST_F(SendingTest, NothingLeavesBeforeItIsStored) {
  world.auto_commit = false;
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  while (!world.commits.empty() && !world.commits.front().outbound) world.CommitNext();
  ASSERT_THAT(world.commits, SizeIs(1));
  EXPECT_FALSE(world.commits.front().changes.puts.empty());
  EXPECT_FALSE(world.Take("message").has_value());
  world.CommitNext();
  EXPECT_TRUE(world.Take("message").has_value());
}

TEST_F(SendingTest, APartThatTheStoreHoldsBackDoesNotLeave) {
  world.auto_commit = false;
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  while (!world.commits.empty() && !world.commits.front().outbound) world.CommitNext();
  world.CommitNext(CommitOutcome::kHeld);
  EXPECT_FALSE(world.Take("message").has_value());
  EXPECT_EQ(world.layer->in_flight(), 0u);
}

TEST_F(SendingTest, AJournaledPartLeavesWithoutTheStoreAndOnce) {
  world.auto_commit = false;
  ASSERT_TRUE(world.Send(At(kPatient), "Call 112").ok());
  while (!world.commits.empty() && !world.commits.front().outbound) world.CommitNext();
  const std::uint64_t commit = world.commits.front().commit;
  world.Run(world.layer->OnJournaled(world.now, commit));
  EXPECT_TRUE(world.Take("message").has_value());
  world.Run(world.layer->OnJournaled(world.now, commit));
  world.CommitNext();
  EXPECT_FALSE(world.Take("message").has_value());
}

TEST_F(SendingTest, AStrangerIsReadAndAnsweredWithoutTheStoreAfterReadingAhead) {
  const Encrypted encrypted = world.EncryptFrom(world.Peer(kPatient), MessageWorld::TextMessage("chest pain"));
  const Node cry = world.Stanza(At(kPatient), encrypted, "M1", {{"sender_pn", At(kPatientByPhone)}});
  world.ReadAhead();
  world.auto_commit = false;
  world.Receive(cry);
  ASSERT_THAT(world.commits, SizeIs(1));
  EXPECT_THAT(world.commits[0].inbound, SizeIs(1));
  ASSERT_TRUE(world.Send(At(kPatient), "Call 112").ok());
  ASSERT_TRUE(world.commits.back().outbound.has_value());
  world.Run(world.layer->OnJournaled(world.now, world.commits.back().commit));
  EXPECT_EQ(world.loads, 0);
  EXPECT_FALSE(world.Take("receipt").has_value()) << "nothing is stored";
  const auto stanza = world.Take("message");
  ASSERT_TRUE(stanza.has_value());
  const auto said = world.Read(*stanza, kPatient);
  ASSERT_TRUE(said.has_value());
  EXPECT_EQ(said->conversation(), "Call 112");
  while (!world.commits.empty()) world.CommitNext();
  EXPECT_TRUE(world.Take("receipt").has_value());
  EXPECT_FALSE(world.Take("message").has_value());
}

TEST_F(SendingTest, AnAcknowledgedPartIsMarkedAndTheContactTrusted) {
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  EXPECT_EQ(world.Send(At(kPatient), "hello").code(), absl::StatusCode::kAlreadyExists);
  world.Ack(Id());
  const auto outcome = world.TakeEvent<PartOutcome>();
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->kind, PartOutcome::Kind::kAcknowledged);
  EXPECT_EQ(outcome->reply_id, kReply);
  ASSERT_THAT(world.marks, SizeIs(1));
  EXPECT_EQ(world.marks[0].state, DeliveryState::kSent);
  EXPECT_EQ(world.marks[0].stanza_id, Id());
  EXPECT_EQ(CountQuestions("privacy"), 1);
  ASSERT_TRUE(world.Send(At(kPatient), "again", 1).ok());
  world.Ack(Id(1));
  EXPECT_EQ(CountQuestions("privacy"), 1) << "once a week";
  world.Ack(Id(1));
  EXPECT_THAT(world.marks, SizeIs(2));
}

TEST_F(SendingTest, DeliveredAndReadAreMarked) {
  world.Receive({"receipt", {{"id", Id()}, {"from", At(kPatientWeb)}, {"t", "1700000100"}}, {}});
  Nodes items{{"item", {{"id", Id(1)}}, {}}, {"item", {{"id", "ABCDEF"}}, {}}};
  world.Receive({"receipt",
                 {{"id", Id()}, {"from", At(kPatient)}, {"type", "read"}, {"t", "1700000200"}},
                 Nodes{{"list", {}, std::move(items)}}});
  world.Receive({"receipt", {{"id", Id()}, {"from", At(kOwnPhone)}, {"type", "read-self"}, {"t", "1"}}, {}});
  EXPECT_THAT(world.marks, ElementsAre(DeliveryMark{Id(), DeliveryState::kDelivered, FromUnix(1'700'000'100)},
                                       DeliveryMark{Id(), DeliveryState::kRead, FromUnix(1'700'000'200)},
                                       DeliveryMark{Id(1), DeliveryState::kRead, FromUnix(1'700'000'200)}));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(world.Take("ack", "class", "receipt").has_value());
}

TEST_F(SendingTest, WithoutAnAnswerThePartIsTriedAgainWithTheSameIdAndContent) {
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  const auto first = world.Take("message");
  world.Advance(std::chrono::seconds(59));
  EXPECT_FALSE(world.TakeEvent<PartOutcome>().has_value());
  world.Advance(std::chrono::seconds(2));
  EXPECT_EQ(world.TakeEvent<PartOutcome>()->kind, PartOutcome::Kind::kNoAck);
  world.Restart();
  ASSERT_TRUE(world.Send(At(kPatient), "hello", 0, /*again=*/true).ok());
  const auto second = world.Take("message");
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->Attr("id"), first->Attr("id"));
  const auto a = world.Read(*first, kPatient), b = world.Read(*second, kPatient);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->SerializeAsString(), b->SerializeAsString());
  EXPECT_NE(first->Child("participants")->Children()[0].Child("enc")->ContentBytes().size(), 0u);
  EXPECT_THAT(world.attempts, SizeIs(2));
}

TEST_F(SendingTest, ALostConnectionEndsWhatIsUnderWay) {
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  world.answer = false;
  ASSERT_TRUE(world.Send(At("333@lid"), "hello", 1).ok());
  world.Disconnect();
  std::map<int, PartOutcome::Kind> kinds;
  while (const auto outcome = world.TakeEvent<PartOutcome>()) kinds[outcome->part] = outcome->kind;
  EXPECT_EQ(kinds[0], PartOutcome::Kind::kNoAck);
  EXPECT_EQ(kinds[1], PartOutcome::Kind::kNotSent);
  EXPECT_EQ(world.layer->in_flight(), 0u);
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  EXPECT_EQ(world.TakeEvent<PartOutcome>()->kind, PartOutcome::Kind::kNoAck) << "the attempt is stored, not sent";
}

TEST_F(SendingTest, ARefusalTellsItsCodeAndForgetsTheDevices) {
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  world.Ack(Id(), {{"error", "479"}});
  const auto outcome = world.TakeEvent<PartOutcome>();
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->kind, PartOutcome::Kind::kRefused);
  EXPECT_EQ(outcome->code, 479);
  EXPECT_THAT(world.marks, IsEmpty());
  const int asked = CountQuestions("usync");
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  EXPECT_EQ(CountQuestions("usync"), asked + 1);
}

TEST_F(SendingTest, AnotherFingerprintOfTheServerForgetsTheDevices) {
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  const std::vector<Jid> all = {At(kPatient), At(kPatientWeb), At(kOwnPhone)};
  world.Ack(Id(), {{"phash", ParticipantHash(all)}});
  ASSERT_TRUE(world.Send(At(kPatient), "again", 1).ok());
  EXPECT_EQ(CountQuestions("usync"), 1);
  world.Ack(Id(1), {{"phash", "2:AAAAAAAA"}});
  ASSERT_TRUE(world.Send(At(kPatient), "again", 2).ok());
  EXPECT_EQ(CountQuestions("usync"), 2);
}

TEST_F(SendingTest, APhoneNumberIsWrittenToUnderItsHiddenId) {
  ASSERT_TRUE(world.Send(At(kPatientByPhone), "hello").ok());
  const auto stanza = world.Take("message");
  ASSERT_TRUE(stanza.has_value());
  EXPECT_EQ(stanza->AttrJid("to"), At(kPatient));
  EXPECT_TRUE(world.Read(*stanza, kPatient).has_value());
  EXPECT_THAT(world.learned, ElementsAre(LearnedContact{.phone = "34600000002", .lid = "222222222222222"}));
}

TEST_F(SendingTest, AServerThatNamesNoHiddenIdIsWrittenToByPhoneNumber) {
  world.tell_lids = false;
  world.AddAccount("34600000005", "");
  world.Peer("34600000005@s.whatsapp.net");
  ASSERT_TRUE(world.Send(At("34600000005@s.whatsapp.net"), "hello").ok());
  const auto stanza = world.Take("message");
  ASSERT_TRUE(stanza.has_value());
  EXPECT_EQ(stanza->AttrJid("to"), At("34600000005@s.whatsapp.net"));
  EXPECT_FALSE(stanza->HasAttr("peer_recipient_pn"));
  for (const Node& to : stanza->Child("participants")->Children()) {
    EXPECT_EQ(to.AttrJid("jid")->server, kUserServer) << "one form for all";
  }
  EXPECT_TRUE(world.Read(*stanza, "34600000005@s.whatsapp.net").has_value());
}

TEST_F(SendingTest, ADeviceWithoutKeysIsLeftOutAndAPersonWithoutAnyIsTold) {
  world.without_keys = {At(kPatientWeb)};
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  const auto stanza = world.Take("message");
  ASSERT_TRUE(stanza.has_value());
  EXPECT_THAT(stanza->Child("participants")->Children(), SizeIs(2));
  ASSERT_TRUE(world.Send(At("555555555555555@lid"), "hello", 1).ok());
  EXPECT_EQ(world.TakeEvent<PartOutcome>()->kind, PartOutcome::Kind::kNoDevice);
}

TEST_F(SendingTest, ShowsItsTokenOrOneMadeFromTheSalt) {
  ASSERT_TRUE(world.Send(At(kPatient), "one", 0).ok());
  EXPECT_EQ(world.Take("message")->Child("tctoken"), nullptr);
  world.Store({.name = {.kind = RecordKind::kSetting, .key = "nct_salt"}, .value = ToBytes("salt")});
  world.Restart();
  ASSERT_TRUE(world.Send(At(kPatient), "two", 1).ok());
  const auto second = world.Take("message");
  ASSERT_NE(second->Child("cstoken"), nullptr);
  EXPECT_EQ(ToBytes(second->Child("cstoken")->ContentBytes()),
            ToBytes(DerivedContactToken(AsBytes("salt"), At(kPatient))));
  Node token{"token",
             {{"type", "trusted_contact"}, {"jid", At(kOwnPhone)}, {"t", std::to_string(world.UnixNow())}},
             ToBytes("trust")};
  world.Receive({"notification",
                 {{"id", "N1"}, {"from", At(kPatientByPhone)}, {"sender_lid", At(kPatient)}, {"type", "privacy_token"}},
                 Nodes{{"tokens", {}, Nodes{std::move(token)}}}});
  EXPECT_TRUE(world.Take("ack", "class", "notification").has_value());
  ASSERT_TRUE(world.Send(At(kPatient), "three", 2).ok());
  const auto third = world.Take("message");
  ASSERT_NE(third->Child("tctoken"), nullptr);
  EXPECT_EQ(third->Child("tctoken")->ContentText(), "trust");
  EXPECT_EQ(third->Child("cstoken"), nullptr);
}

TEST_F(SendingTest, KeepsToTheTimerOfTheChat) {
  whatsapp::Message setting;
  setting.mutable_protocol_message()->set_type(3);
  setting.mutable_protocol_message()->set_ephemeral_expiration(86'400);
  setting.mutable_protocol_message()->set_ephemeral_setting_timestamp(1'699'000'000);
  world.Receive(world.Stanza(At(kPatient), world.EncryptFrom(world.Peer(kPatient), setting), "M1"));
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  const auto message = world.Read(*world.Take("message"), kPatient);
  ASSERT_TRUE(message.has_value());
  EXPECT_FALSE(message->has_conversation());
  EXPECT_EQ(message->extended_text_message().text(), "hello");
  EXPECT_EQ(message->extended_text_message().context_info().expiration(), 86'400u);
}

TEST_F(SendingTest, RefusesWhatIsNoPart) {
  const auto refused = [&](OutboundPart part) {
    return world.layer->Send(world.now, part).status().code() == absl::StatusCode::kInvalidArgument;
  };
  const OutboundPart good{.reply_id = kReply, .chat = At(kPatient), .text = "x"};
  OutboundPart part = good;
  part.reply_id = "x";
  EXPECT_TRUE(refused(part));
  part = good;
  part.part = 1;
  EXPECT_TRUE(refused(part));
  part = good;
  part.chat = At("120363000000000001@g.us");
  EXPECT_TRUE(refused(part));
  part = good;
  part.chat = At(kOwnPhone);
  EXPECT_TRUE(refused(part));
  part = good;
  part.text = "";
  EXPECT_TRUE(refused(part));
}

// ---- Devices that ask again ---------------------------------------------------------------------

TEST_F(SendingTest, ADeviceThatBringsKeysGetsTheMessageAgain) {
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  world.Ack(Id());
  world.sent.clear();
  world.Receive(RetryOf(kPatientWeb, 2, true));
  EXPECT_TRUE(world.Take("ack", "class", "receipt").has_value());
  const auto again = world.Take("message");
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->Attr("id"), Id());
  EXPECT_EQ(again->AttrJid("to"), At(kPatientWeb));
  EXPECT_EQ(again->Attr("device_fanout"), "false");
  EXPECT_EQ(again->Child("enc")->Attr("count"), "2");
  EXPECT_EQ(again->Child("enc")->Attr("type"), "pkmsg");
  EXPECT_NE(again->Child("device-identity"), nullptr);
  EXPECT_EQ(again->Child("tctoken"), nullptr);
  const auto message = world.Read(*again, kPatientWeb);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->conversation(), "hello");
  ASSERT_THAT(world.attempts, SizeIs(2));
  EXPECT_TRUE(world.attempts[1].retry);
}

TEST_F(SendingTest, ADeviceWithoutKeysOrSessionGetsThemFetched) {
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  world.peers.erase(At(kPatientWeb));  // installed again: another registration
  world.Restart();
  world.sent.clear();
  world.Receive(RetryOf(kPatientWeb, 1, false));
  const auto again = world.Take("message");
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(world.Read(*again, kPatientWeb).has_value());
}

TEST_F(SendingTest, OurOwnPhoneGetsItsOwnForm) {
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  world.sent.clear();
  world.Receive(RetryOf(kOwnPhone, 1, true));
  const auto again = world.Take("message");
  ASSERT_TRUE(again.has_value());
  const auto message = world.Read(*again, kOwnPhone);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->device_sent_message().message().conversation(), "hello");
}

TEST_F(SendingTest, ASessionThatFailedTwiceIsGivenUp) {
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  world.questions.clear();
  world.Receive(RetryOf(kPatientWeb, 2, false));
  EXPECT_EQ(CountQuestions("encrypt"), 0);
  world.Receive(RetryOf(kPatientWeb, 3, false));
  EXPECT_EQ(CountQuestions("encrypt"), 1);
}

TEST_F(SendingTest, NobodyElseGetsAMessageAndNobodyGetsItForEver) {
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  world.sent.clear();
  world.Peer("333333333333333@lid");
  world.Receive(RetryOf("333333333333333@lid", 1, true));
  Node unknown = RetryOf(kPatient, 1, true);
  std::get<Nodes>(unknown.content)[0].SetAttr({"id", "3EB0000000000000000000"});
  world.Receive(unknown);
  world.Receive(RetryOf(kPatient, 6, true));
  EXPECT_FALSE(world.Take("message").has_value());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(world.Take("ack").has_value());
  int answers = 0;
  for (int i = 0; i < 9; ++i) {
    world.Receive(RetryOf(kPatient, 1, true));
    if (world.Take("message")) ++answers;
  }
  EXPECT_EQ(answers, 5);
}

// ---- News ---------------------------------------------------------------------------------------

TEST_F(SendingTest, NewKeysOfAPersonEndItsSessions) {
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  world.Ack(Id());
  world.questions.clear();
  world.Receive({"notification",
                 {{"id", "N1"}, {"from", At(kPatientByPhone)}, {"type", "encrypt"}},
                 Nodes{{"identity", {}, {}}}});
  EXPECT_TRUE(world.Take("ack", "class", "notification").has_value());
  EXPECT_TRUE(world.TakeEvent<IdentityChanged>().has_value());
  EXPECT_TRUE(world.Stored(RecordKind::kSession, "222222222222222_1.0")) << "the number's owner is not known";
  world.Receive(
      {"notification", {{"id", "N2"}, {"from", At(kPatient)}, {"type", "encrypt"}}, Nodes{{"identity", {}, {}}}});
  EXPECT_FALSE(world.Stored(RecordKind::kSession, "222222222222222_1.0"));
  EXPECT_FALSE(world.Stored(RecordKind::kSession, "222222222222222_1.3"));
  EXPECT_EQ(CountQuestions("privacy"), 1) << "trust is given again";
  ASSERT_TRUE(world.Send(At(kPatient), "again", 1).ok());
  EXPECT_EQ(CountQuestions("encrypt"), 1);
}

TEST_F(SendingTest, NewDevicesAreAskedForAndRemovedOnesForgotten) {
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  Nodes devices{{"device", {{"jid", At(kPatientWeb)}}, {}}};
  world.Receive({"notification",
                 {{"id", "N1"}, {"from", At(kPatient)}, {"type", "devices"}},
                 Nodes{{"remove", {}, std::move(devices)}}});
  EXPECT_FALSE(world.Stored(RecordKind::kSession, "222222222222222_1.3"));
  const int asked = CountQuestions("usync");
  ASSERT_TRUE(world.Send(At(kPatient), "again", 1).ok());
  EXPECT_EQ(CountQuestions("usync"), asked + 1);
  world.Receive({"notification",
                 {{"id", "N2"}, {"from", At("15550001111@s.whatsapp.net")}, {"type", "account_sync"}},
                 Nodes{{"devices", {}, {}}}});
  ASSERT_TRUE(world.Send(At(kPatient), "once more", 2).ok());
  EXPECT_EQ(CountQuestions("usync"), asked + 2);
}

TEST_F(SendingTest, TellsWhatTheAccountMayNoLongerDo) {
  const auto tell = [&](const char* name, const char* json) {
    world.Receive({"notification",
                   {{"id", "N1"}, {"from", Jid::Server()}, {"type", "mex"}},
                   Nodes{{"update", {{"op_name", name}}, ToBytes(json)}}});
  };
  tell("NotificationUserReachoutTimelockUpdate",
       R"({"data":{"xwa2_notify_account_reachout_timelock":{"is_active":true,"enforcement_type":"BIZ_QUALITY",)"
       R"("time_enforcement_ends":"1700003600"}}})");
  const auto limited = world.TakeEvent<ReachoutLimited>();
  ASSERT_TRUE(limited.has_value());
  EXPECT_TRUE(limited->active);
  EXPECT_EQ(limited->ends, FromUnix(1'700'003'600));
  EXPECT_EQ(limited->kind, "BIZ_QUALITY");
  tell("MessageCappingInfoNotification",
       R"({"data":{"xwa2_notify_new_chat_messages_capping_info_update":{"capping_status":"CAPPED"}}})");
  EXPECT_EQ(world.TakeEvent<NewChatCap>()->status, "CAPPED");
  for (const char* json : {"", "{", "[]", "{\"data\":7}", "null"}) tell("NotificationUserReachoutTimelockUpdate", json);
  EXPECT_FALSE(world.TakeEvent<ReachoutLimited>().has_value());
}

TEST_F(SendingTest, ShowsTypingUntilTheAnswerLeaves) {
  world.Run(world.layer->ShowTyping(world.now, At(kPatient), true));
  ASSERT_TRUE(world.Take("chatstate").has_value());
  world.Advance(std::chrono::seconds(11));
  const auto again = world.Take("chatstate");
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->AttrJid("to"), At(kPatient));
  EXPECT_NE(again->Child("composing"), nullptr);
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  world.Advance(std::chrono::seconds(30));
  EXPECT_FALSE(world.Take("chatstate").has_value());
  world.Run(world.layer->ShowTyping(world.now, At(kPatient), true));
  world.Advance(std::chrono::seconds(200));
  std::optional<Node> last;
  while (auto one = world.Take("chatstate")) last = std::move(one);
  ASSERT_TRUE(last.has_value());
  EXPECT_NE(last->Child("paused"), nullptr) << "nobody types for ever";
}

TEST_F(SendingTest, HidesWhatWasReadWhereTheAccountWantsIt) {
  const std::map<std::string, std::string> privacy = {{"readreceipts", "none"}};
  world.Run(world.layer->OnEvent(world.now, AccountSettings{.privacy = privacy}));
  world.Run(world.layer->MarkRead(world.now, At(kPatient), {"M1"}));
  EXPECT_EQ(world.Take("receipt")->Attr("type"), "read-self");
}

TEST_F(SendingTest, ADeviceThatLearnsItsHiddenIdAtTheLoginWritesUnderIt) {
  world.credentials.account->lid = {};
  world.Restart();
  ASSERT_TRUE(world.Send(At(kPatientByPhone), "hello").ok());
  EXPECT_EQ(world.Take("message")->AttrJid("to"), At(kPatientByPhone));
  world.Run(world.layer->OnEvent(world.now, LoggedIn{.server_offset = {}, .own_lid = At("111111111111111:7@lid")}));
  ASSERT_TRUE(world.Send(At(kPatientByPhone), "hello", 1).ok());
  EXPECT_EQ(world.Take("message")->AttrJid("to"), At(kPatient));
}

TEST_F(SendingTest, LooksUpNothingForASecondPart) {
  ASSERT_TRUE(world.Send(At(kPatient), "one", 0).ok());
  world.loads = 0;
  ASSERT_TRUE(world.Send(At(kPatient), "two", 1).ok());
  EXPECT_EQ(world.loads, 0);
}

TEST_F(SendingTest, TellsWhoTypesAndWhatWasRead) {
  world.Receive({"chatstate", {{"from", At(kPatient)}}, Nodes{{"composing", {}, {}}}});
  auto typing = world.TakeEvent<PeerTyping>();
  ASSERT_TRUE(typing.has_value());
  EXPECT_TRUE(typing->composing);
  EXPECT_EQ(typing->chat, At(kPatient));
  world.Receive({"chatstate", {{"from", At("1203630@g.us")}}, Nodes{{"composing", {}, {}}}});
  EXPECT_FALSE(world.TakeEvent<PeerTyping>().has_value());
  world.Run(world.layer->MarkRead(world.now, At(kPatient), {"M1", "M2"}));
  const auto receipt = world.Take("receipt");
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->Attr("type"), "read");
  EXPECT_EQ(receipt->Attr("id"), "M1");
  EXPECT_EQ(receipt->Child("list")->Child("item")->Attr("id"), "M2");
}

}  // namespace
}  // namespace medidesk::gateway::wa
