// Messages that come in: through decrypting, the commit and the receipt, up to what the store is told.
#include <gmock/gmock.h>
#include <zlib.h>

#include "gateway/wa/messages/testing/message_world.h"
#include "whatsapp/history.pb.h"

namespace medidesk::gateway::wa {
namespace {

using testing::At;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MessageWorld;
using testing::SignalPeer;
using ::testing::SizeIs;

constexpr char kPatient[] = "222222222222222@lid";
constexpr char kPatientByPhone[] = "34600000002@s.whatsapp.net";
constexpr char kOwnPhone[] = "111111111111111@lid";

class ReceivingTest : public ::testing::Test {
 protected:
  void ReceiveMessage(const whatsapp::Message& message, const std::string& id, std::vector<Attribute> more = {},
                      const char* device = kPatient) {
    world.Receive(world.Stanza(At(device), world.EncryptFrom(world.Peer(device), message), id, std::move(more)));
  }
  Node Corrupted(Node stanza) {
    Node& enc = std::get<Nodes>(stanza.content)[0];
    std::get<Bytes>(enc.content)[enc.ContentBytes().size() - 20] ^= 1;
    return stanza;
  }

  MessageWorld world;
};

TEST_F(ReceivingTest, DeliversAMessageAndConfirmsItWhenItIsStored) {
  world.auto_commit = false;
  world.Say(kPatient, "Do you open on Sunday?", "M1", {{"sender_pn", At(kPatientByPhone)}});
  ASSERT_THAT(world.commits, SizeIs(1));
  EXPECT_FALSE(world.Take("receipt").has_value()) << "before it is stored";
  world.CommitNext();
  const auto message = world.TakeInbound();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->text, "Do you open on Sunday?");
  EXPECT_EQ(message->kind, InboundKind::kText);
  EXPECT_EQ(message->id, "M1");
  EXPECT_EQ(message->chat, At(kPatient));
  EXPECT_EQ(message->phone, "34600000002");
  EXPECT_EQ(message->lid, "222222222222222");
  EXPECT_EQ(message->push_name, "Asha");
  EXPECT_FALSE(message->from_me);
  const auto receipt = world.Take("receipt");
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->Attr("id"), "M1");
  EXPECT_EQ(receipt->Attr("type"), "inactive");
  EXPECT_EQ(receipt->AttrJid("to"), At(kPatient));
  EXPECT_THAT(world.learned, ElementsAre(LearnedContact{.phone = "34600000002", .lid = "222222222222222"}));
}

TEST_F(ReceivingTest, ConfirmsARedeliveryWithoutTellingItAgain) {
  const Node stanza =
      world.Stanza(At(kPatient), world.EncryptFrom(world.Peer(kPatient), MessageWorld::TextMessage("once")), "M1");
  world.Receive(stanza);
  world.Restart();
  world.sent.clear();
  world.Receive(stanza);
  EXPECT_THAT(world.inbound, SizeIs(1));
  EXPECT_TRUE(world.Take("receipt", "id", "M1").has_value());
  EXPECT_FALSE(world.Take("receipt", "type", "retry").has_value());
}

TEST_F(ReceivingTest, ARedeliveryIsNotConfirmedBeforeTheFirstCopyIsStored) {
  world.auto_commit = false;
  const Node stanza =
      world.Stanza(At(kPatient), world.EncryptFrom(world.Peer(kPatient), MessageWorld::TextMessage("once")), "M1");
  world.Receive(stanza);
  world.Receive(stanza);
  EXPECT_FALSE(world.Take("receipt").has_value());
  world.CommitNext();
  EXPECT_TRUE(world.Take("receipt").has_value());
  EXPECT_TRUE(world.Take("receipt").has_value());
}

TEST_F(ReceivingTest, NothingLeavesAfterARefusedCommit) {
  world.auto_commit = false;
  world.Say(kPatient, "hello", "M1");
  world.Say(kPatient, "again", "M2");
  ASSERT_THAT(world.commits, SizeIs(2));
  const MessageCommit first = world.commits.front();
  world.commits.clear();
  world.Run(world.layer->OnCommitted(world.now, first.commit, CommitOutcome::kRefused));
  world.Say(kPatient, "and again", "M3");
  world.Run(world.layer->OnCommitted(world.now, first.commit + 1, CommitOutcome::kStored));
  EXPECT_THAT(world.sent, IsEmpty());
}

TEST_F(ReceivingTest, ReadsBacklogInItsOrderWithOneLookUp) {
  world.Disconnect();
  std::vector<Node> stanzas;
  for (int i = 0; i < 20; ++i) {
    const std::string device = std::to_string(300 + i) + "@lid";
    stanzas.push_back(world.Stanza(At(device),
                                   world.EncryptFrom(world.Peer(device), MessageWorld::TextMessage("hello")),
                                   "M" + std::to_string(i), {{"offline", "0"}}));
  }
  world.Connect();
  world.loads = 0;
  world.Run([&] {
    // All of them before the first look-up is answered.
    MessageActions all;
    for (const Node& stanza : stanzas) {
      for (MessageAction& action : world.layer->OnEvent(world.now, StanzaReceived{.node = stanza})) {
        all.push_back(std::move(action));
      }
    }
    return all;
  }());
  ASSERT_THAT(world.inbound, SizeIs(20));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(world.inbound[static_cast<std::size_t>(i)].id, "M" + std::to_string(i));
    EXPECT_TRUE(world.inbound[static_cast<std::size_t>(i)].offline);
  }
  EXPECT_LE(world.loads, 8);
}

// ---- What cannot be read ------------------------------------------------------------------------

TEST_F(ReceivingTest, AsksForACorruptedMessageAgainAndTellsItOnce) {
  world.Say(kPatient, "first", "M0");
  SignalPeer& patient = world.Peer(kPatient);
  const Node good = world.Stanza(At(kPatient), world.EncryptFrom(patient, MessageWorld::TextMessage("help")), "M1");
  world.Receive(Corrupted(good));
  const auto retry = world.Take("receipt", "type", "retry");
  ASSERT_TRUE(retry.has_value());
  EXPECT_EQ(retry->Child("retry")->Attr("count"), "1");
  EXPECT_EQ(retry->Child("retry")->Attr("error"), "7");
  EXPECT_EQ(retry->Child("keys"), nullptr);
  const auto ack = world.Take("ack");
  ASSERT_TRUE(ack.has_value());
  EXPECT_FALSE(ack->HasAttr("error"));
  EXPECT_THAT(world.inbound, SizeIs(1));

  // The second failure brings keys, with which the sender makes a new session.
  world.Receive(Corrupted(good));
  const auto second = world.Take("receipt", "type", "retry");
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->Child("retry")->Attr("count"), "2");
  ASSERT_NE(second->Child("keys"), nullptr);
  EXPECT_EQ(ToBytes(second->Child("keys")->Child("device-identity")->ContentBytes()),
            world.credentials.account->signed_identity);
  const auto bundle = ReadBundle(*second->Child("keys"), *second);
  ASSERT_TRUE(bundle.has_value());
  EXPECT_GE(bundle->one_time->id, 0x800000u) << "apart from the keys that the server hands out";
  ASSERT_TRUE(patient.Start(world.clinic(), *bundle).ok());
  const Encrypted again = patient.Encrypt(
      world.clinic(), PadMessage(AsBytes(MessageWorld::TextMessage("help").SerializeAsString()), patient.entropy));
  world.Receive(world.Stanza(At(kPatient), again, "M1"));
  EXPECT_EQ(world.inbound.back().text, "help");
  EXPECT_THAT(world.inbound, SizeIs(2));
  world.Advance(std::chrono::hours(2));
  EXPECT_THAT(world.inbound, SizeIs(2)) << "what was read is not lost";
  EXPECT_FALSE(world.Stored(RecordKind::kRetry, "in"));
}

TEST_F(ReceivingTest, SendsKeysAtOnceWhereThereIsNoSession) {
  world.Say(kPatient, "hello", "M0");
  ASSERT_TRUE(world.Send(At(kPatient), "hello").ok());
  ASSERT_TRUE(world.Read(*world.Take("message"), kPatient).has_value());
  const Encrypted message = world.EncryptFrom(world.Peer(kPatient), MessageWorld::TextMessage("help"));
  ASSERT_FALSE(message.pre_key);
  world.records.erase({RecordKind::kSession, "222222222222222_1.0"});
  world.Restart();
  world.Receive(world.Stanza(At(kPatient), message, "M1"));
  const auto retry = world.Take("receipt", "type", "retry");
  ASSERT_TRUE(retry.has_value());
  EXPECT_EQ(retry->Child("retry")->Attr("count"), "1");
  EXPECT_EQ(retry->Child("retry")->Attr("error"), "1");
  EXPECT_NE(retry->Child("keys"), nullptr);
}

TEST_F(ReceivingTest, StopsAskingAfterFourTimes) {
  world.Say(kPatient, "first", "M0");
  const Node good =
      world.Stanza(At(kPatient), world.EncryptFrom(world.Peer(kPatient), MessageWorld::TextMessage("help")), "M1");
  for (int i = 0; i < 8; ++i) world.Receive(Corrupted(good));
  int retries = 0, acks = 0;
  while (world.Take("receipt", "type", "retry")) ++retries;
  while (world.Take("ack")) ++acks;
  EXPECT_EQ(retries, 4);
  EXPECT_EQ(acks, 8);
}

TEST_F(ReceivingTest, AsksItsOwnPhoneAndTakesItsAnswer) {
  world.Peer(kOwnPhone);
  world.Say(kPatient, "first", "M0");
  world.Receive(Corrupted(
      world.Stanza(At(kPatient), world.EncryptFrom(world.Peer(kPatient), MessageWorld::TextMessage("help")), "M1")));
  world.sent.clear();
  world.Advance(std::chrono::seconds(6));
  const auto request = world.Take("message");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->Attr("category"), "peer");
  EXPECT_EQ(request->AttrJid("to"), At("15550001111@s.whatsapp.net"));
  const auto asked = world.Read(*request, kOwnPhone);
  ASSERT_TRUE(asked.has_value());
  const auto& key = asked->protocol_message()
                        .peer_data_operation_request_message()
                        .placeholder_message_resend_request(0)
                        .message_key();
  EXPECT_EQ(key.id(), "M1");
  EXPECT_EQ(key.remote_jid(), kPatient);

  whatsapp::WebMessageInfo info;
  info.mutable_key()->set_remote_jid(kPatient);
  info.mutable_key()->set_id("M1");
  info.mutable_message()->set_conversation("help");
  whatsapp::Message answer;
  answer.mutable_protocol_message()->set_type(17);
  auto* response = answer.mutable_protocol_message()->mutable_peer_data_operation_request_response_message();
  response->set_peer_data_operation_request_type(4);
  response->add_peer_data_operation_result()->mutable_placeholder_message_resend_response()->set_web_message_info_bytes(
      info.SerializeAsString());
  ReceiveMessage(answer, "P1", {{"category", "peer"}}, kOwnPhone);
  ASSERT_EQ(world.inbound.back().text, "help");
  EXPECT_EQ(world.inbound.back().chat, At(kPatient));
  EXPECT_TRUE(world.Take("receipt", "type", "peer_msg").has_value());
  const std::size_t told = world.inbound.size();
  ReceiveMessage(answer, "P2", {{"category", "peer"}}, kOwnPhone);
  EXPECT_EQ(world.inbound.size(), told) << "nobody asked for it any more";
}

TEST_F(ReceivingTest, SaysThatAMessageIsLostAlsoAfterARestart) {
  world.Say(kPatient, "first", "M0", {{"sender_pn", At(kPatientByPhone)}});
  world.Receive(Corrupted(
      world.Stanza(At(kPatient), world.EncryptFrom(world.Peer(kPatient), MessageWorld::TextMessage("help")), "M1")));
  world.inbound.clear();
  world.Restart();
  world.Advance(std::chrono::seconds(55));
  EXPECT_THAT(world.inbound, IsEmpty());
  world.Advance(std::chrono::seconds(10));
  const auto lost = world.TakeInbound();
  ASSERT_TRUE(lost.has_value());
  EXPECT_EQ(lost->kind, InboundKind::kUndecryptable);
  EXPECT_EQ(lost->id, "M1");
  EXPECT_EQ(lost->chat, At(kPatient));
  world.Advance(std::chrono::hours(2));
  EXPECT_THAT(world.inbound, IsEmpty()) << "once is enough";
  EXPECT_FALSE(world.Stored(RecordKind::kRetry, "in"));
}

TEST_F(ReceivingTest, TellsStaffOfWhatDecryptsToNonsense) {
  SignalPeer& patient = world.Peer(kPatient);
  ASSERT_TRUE(patient.Start(world.clinic(), world.ClinicBundle()).ok());
  world.Receive(world.Stanza(At(kPatient), patient.Encrypt(world.clinic(), AsBytes("no padding\x09")), "M1"));
  const auto message = world.TakeInbound();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->kind, InboundKind::kUndecryptable);
  EXPECT_TRUE(world.Take("receipt", "id", "M1").has_value());
}

TEST_F(ReceivingTest, AMessageForThePhoneAloneIsAskedForThere) {
  world.Peer(kOwnPhone);
  Node node{"message",
            {{"id", "M1"}, {"from", At(kPatient)}, {"t", std::to_string(world.UnixNow())}, {"type", "text"}},
            Nodes{{"unavailable", {}, {}}}};
  world.Receive(node);
  EXPECT_TRUE(world.Take("ack").has_value());
  world.Advance(std::chrono::seconds(6));
  EXPECT_TRUE(world.Take("message", "category", "peer").has_value());
}

TEST_F(ReceivingTest, AViewOnceMessageIsSaidToBeThere) {
  Node node{"message",
            {{"id", "M1"}, {"from", At(kPatient)}, {"t", "1700000000"}, {"type", "media"}},
            Nodes{{"unavailable", {{"type", "view_once"}}, {}}}};
  world.Receive(node);
  const auto message = world.TakeInbound();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->kind, InboundKind::kUnreadable);
  EXPECT_TRUE(world.Take("ack").has_value());
}

// ---- Kinds --------------------------------------------------------------------------------------

TEST_F(ReceivingTest, TellsEditsDeletionsAndReactions) {
  whatsapp::Message edit;
  edit.mutable_protocol_message()->set_type(14);
  edit.mutable_protocol_message()->mutable_key()->set_id("M1");
  edit.mutable_protocol_message()->mutable_key()->set_from_me(true);
  edit.mutable_protocol_message()->mutable_edited_message()->set_conversation("Monday");
  ReceiveMessage(edit, "M2", {{"edit", "1"}});
  auto message = world.TakeInbound();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->kind, InboundKind::kEdit);
  EXPECT_EQ(message->target_id, "M1");
  EXPECT_EQ(message->text, "Monday");

  whatsapp::Message deletion;
  deletion.mutable_protocol_message()->set_type(0);
  *deletion.mutable_protocol_message()->mutable_key() = edit.protocol_message().key();
  ReceiveMessage(deletion, "M3", {{"edit", "7"}});
  EXPECT_EQ(world.TakeInbound()->kind, InboundKind::kDeletion);

  whatsapp::Message foreign = deletion;
  foreign.mutable_protocol_message()->mutable_key()->set_from_me(false);
  ReceiveMessage(foreign, "M4", {{"edit", "7"}});
  EXPECT_FALSE(world.TakeInbound().has_value()) << "nobody deletes what another has written";

  whatsapp::Message reaction;
  reaction.mutable_reaction_message()->set_text("👍");
  reaction.mutable_reaction_message()->mutable_key()->set_id("OURS");
  ReceiveMessage(reaction, "M5", {{"type", "reaction"}});
  message = world.TakeInbound();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->kind, InboundKind::kReaction);
  EXPECT_EQ(message->target_id, "OURS");
}

TEST_F(ReceivingTest, TellsWhatItCannotReadButNotWhatNobodySaid) {
  whatsapp::Message voice;
  voice.mutable_audio_message()->set_ptt(true);
  ReceiveMessage(voice, "M1", {{"type", "media"}});
  auto message = world.TakeInbound();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->kind, InboundKind::kUnreadable);
  EXPECT_EQ(message->media, MediaKind::kVoice);
  EXPECT_EQ(message->text, "[voice message]");

  whatsapp::Message image;
  image.mutable_image_message()->set_caption("my prescription");
  ReceiveMessage(image, "M2", {{"type", "media"}});
  message = world.TakeInbound();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->kind, InboundKind::kText);
  EXPECT_EQ(message->media, MediaKind::kImage);
  EXPECT_EQ(message->text, "my prescription");

  ReceiveMessage({}, "M3");  // something newer than we are
  EXPECT_EQ(world.TakeInbound()->kind, InboundKind::kUnreadable);
  ReceiveMessage({}, "M4", {{"type", "poll"}});
  whatsapp::Message keys;
  keys.mutable_sender_key_distribution_message()->set_group_id("120363000000000001@g.us");
  ReceiveMessage(keys, "M5");
  EXPECT_FALSE(world.TakeInbound().has_value());
  EXPECT_TRUE(world.Take("receipt", "id", "M5").has_value());
}

TEST_F(ReceivingTest, LeavesGroupsChannelsAndBotsAlone) {
  for (const char* from : {"120363000000000001@g.us", "status@broadcast", "120363000000000009@newsletter",
                           "13135550002@s.whatsapp.net", "867051314767696@bot", "0@s.whatsapp.net"}) {
    SCOPED_TRACE(from);
    Node node{"message",
              {{"id", "G1"}, {"from", At(from)}, {"participant", At(kPatient)}, {"t", "1700000000"}, {"type", "text"}},
              Nodes{{"enc", {{"v", "2"}, {"type", "skmsg"}}, ToBytes("x")}}};
    world.Receive(node);
    const auto ack = world.Take("ack");
    ASSERT_TRUE(ack.has_value());
    EXPECT_EQ(ack->Attr("class"), "message");
    EXPECT_FALSE(ack->HasAttr("error"));
    EXPECT_EQ(ack->AttrJid("participant"), At(kPatient));
  }
  EXPECT_THAT(world.inbound, IsEmpty());
  EXPECT_THAT(world.sent, IsEmpty());
}

// ---- Our own account ----------------------------------------------------------------------------

TEST_F(ReceivingTest, TellsWhatStaffTypedOnThePhone) {
  world.Peer(kOwnPhone);
  whatsapp::Message message = DeviceSent(MessageWorld::TextMessage("I will call you"), At(kPatient));
  ReceiveMessage(message, "S1", {{"recipient", At(kPatient)}, {"peer_recipient_pn", At(kPatientByPhone)}}, kOwnPhone);
  const auto told = world.TakeInbound();
  ASSERT_TRUE(told.has_value());
  EXPECT_TRUE(told->from_me);
  EXPECT_EQ(told->chat, At(kPatient));
  EXPECT_EQ(told->phone, "34600000002");
  EXPECT_EQ(told->text, "I will call you");
  EXPECT_EQ(told->push_name, "");
  const auto receipt = world.Take("receipt");
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->Attr("type"), "sender");
  EXPECT_EQ(receipt->AttrJid("recipient"), At(kPatient));
  EXPECT_TRUE(world.TakeEvent<OwnPhoneSeen>().has_value());
}

TEST_F(ReceivingTest, DropsWhatAPatientSaysInOurName) {
  ReceiveMessage(DeviceSent(MessageWorld::TextMessage("free medicine"), At("333@lid")), "M1");
  EXPECT_FALSE(world.TakeInbound().has_value());
  EXPECT_TRUE(world.Take("receipt", "id", "M1").has_value());
}

TEST_F(ReceivingTest, LearnsFromHistoryAndConfirmsIt) {
  whatsapp::HistorySync history;
  auto* mapping = history.add_phone_number_to_lid_mappings();
  mapping->set_pn_jid("34600000009@s.whatsapp.net");
  mapping->set_lid_jid("999999999999999@lid");
  history.set_nct_salt("salt");
  auto* conversation = history.add_conversations();
  conversation->set_id(kPatient);
  conversation->set_tc_token("token");
  conversation->set_tc_token_timestamp(1'700'000'000);
  const std::string plain = history.SerializeAsString();
  std::string packed(compressBound(plain.size()), 0);
  uLongf size = packed.size();
  ASSERT_EQ(compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(plain.data()),
                     plain.size()),
            Z_OK);
  packed.resize(size);
  whatsapp::Message message;
  message.mutable_protocol_message()->set_type(5);
  message.mutable_protocol_message()->mutable_history_sync_notification()->set_initial_hist_bootstrap_inline_payload(
      packed);
  ReceiveMessage(message, "P1", {{"category", "peer"}}, kOwnPhone);
  EXPECT_TRUE(world.Take("receipt", "type", "peer_msg").has_value());
  const auto receipt = world.Take("receipt", "type", "hist_sync");
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->AttrJid("to"), At("15550001111@s.whatsapp.net"));
  EXPECT_THAT(world.learned, ElementsAre(LearnedContact{.phone = "34600000009", .lid = "999999999999999"}));
  EXPECT_TRUE(world.Stored(RecordKind::kSetting, "nct_salt"));
  EXPECT_TRUE(world.Stored(RecordKind::kContactToken, "222222222222222_1"));
  EXPECT_THAT(world.inbound, IsEmpty());
}

// ---- Who is who ---------------------------------------------------------------------------------

TEST_F(ReceivingTest, OnePersonHasOneSessionUnderEitherAddress) {
  SignalPeer& patient = world.Peer(kPatient);
  const auto say = [&](const char* from, const char* id, std::vector<Attribute> more = {}) {
    world.Receive(
        world.Stanza(At(from), world.EncryptFrom(patient, MessageWorld::TextMessage(id)), id, std::move(more)));
  };
  say(kPatientByPhone, "M1");
  EXPECT_TRUE(world.Stored(RecordKind::kSession, "34600000002.0"));
  EXPECT_EQ(world.TakeInbound()->lid, "");
  say(kPatientByPhone, "M2", {{"sender_lid", At(kPatient)}});
  EXPECT_FALSE(world.Stored(RecordKind::kSession, "34600000002.0"));
  EXPECT_TRUE(world.Stored(RecordKind::kSession, "222222222222222_1.0"));
  EXPECT_EQ(world.TakeInbound()->lid, "222222222222222");
  say(kPatient, "M3");
  say(kPatientByPhone, "M4");
  EXPECT_EQ(world.TakeInbound()->phone, "34600000002");
  EXPECT_EQ(world.TakeInbound()->text, "M4");
  EXPECT_FALSE(world.Take("receipt", "type", "retry").has_value());
}

TEST_F(ReceivingTest, APhoneNumberThatMovesToAnotherPersonIsLearnedAnew) {
  world.Say(kPatient, "a", "M1", {{"sender_pn", At(kPatientByPhone)}});
  world.Say("444444444444444@lid", "b", "M2", {{"sender_pn", At(kPatientByPhone)}});
  EXPECT_THAT(world.learned, ElementsAre(LearnedContact{.phone = "34600000002", .lid = "222222222222222"},
                                         LearnedContact{.phone = "34600000002", .lid = "444444444444444"}));
  world.inbound.clear();
  world.Say(kPatient, "c", "M3");
  EXPECT_EQ(world.TakeInbound()->phone, "");
}

TEST_F(ReceivingTest, AReinstalledPhoneIsUnderstood) {
  world.Say(kPatient, "old", "M1");
  world.peers.erase(At(kPatient));
  world.Say(kPatient, "new", "M2");
  EXPECT_EQ(world.inbound.back().text, "new");
}

TEST_F(ReceivingTest, RemembersHowLongMessagesLive) {
  whatsapp::Message message;
  auto* text = message.mutable_extended_text_message();
  text->set_text("vanishes");
  text->mutable_context_info()->set_expiration(604'800);
  text->mutable_context_info()->set_ephemeral_setting_timestamp(1'600'000'000);
  ReceiveMessage(message, "M1");
  EXPECT_TRUE(world.Stored(RecordKind::kChatSetting, "222222222222222_1"));
}

}  // namespace
}  // namespace medidesk::gateway::wa
