#include "gateway/wa/messages/message_content.h"

#include <gmock/gmock.h>

#include "gateway/wa/messages/message_padding.h"
#include "gateway/wa/testing/scripted_entropy.h"
#include "gateway/wa/testing/vectors.h"
#include "whatsapp/message.pb.h"

namespace medidesk::gateway::wa {
namespace {

using testing::HexMember;
using testing::ReadVectors;
using testing::Text;

MessageContent Decoded(const whatsapp::Message& message, bool own = false) {
  return DecodeMessage(AsBytes(message.SerializeAsString()), own).value();
}

// How the vectors name what a message is.
std::string KindName(const MessageContent& content, const std::string& wanted) {
  switch (content.kind) {
    case ContentKind::kText:
      // Places, contacts and polls are words to a bot.
      if (wanted == "location" || wanted == "contact" || wanted == "poll") return wanted;
      return content.destination.empty() ? "text" : "device_sent";
    case ContentKind::kMedia:
      return "media";
    case ContentKind::kEdit:
      return "edit";
    case ContentKind::kDeletion:
      return "revoke";
    case ContentKind::kReaction:
      return "reaction";
    case ContentKind::kExpirationSet:
      return "ephemeral_setting";
    case ContentKind::kHistory:
      return "peer_history_sync";
    case ContentKind::kLidMappings:
      return "peer_lid_mapping";
    case ContentKind::kNothing:
      if (wanted == "peer_key_share" || wanted == "sender_key_only" || wanted == "poll_vote") return wanted;
      return "nothing";
    case ContentKind::kFoundAgain:
      return "found_again";
    case ContentKind::kUnknown:
      return "unknown";
  }
  return "";
}

std::string MediaName(MediaKind media) {
  switch (media) {
    case MediaKind::kImage:
      return "image";
    case MediaKind::kVideo:
      return "video";
    case MediaKind::kVoice:
      return "ptt";
    case MediaKind::kAudio:
      return "audio";
    case MediaKind::kDocument:
      return "document";
    case MediaKind::kSticker:
      return "sticker";
    case MediaKind::kNone:
      break;
  }
  return "";
}

TEST(DecodeMessage, ReadsEveryKindOfTheVectors) {
  const boost::json::value vectors = ReadVectors("messages.json");
  for (const auto& one : vectors.at("cases").as_array()) {
    SCOPED_TRACE(Text(one, "name"));
    const boost::json::object& expect = one.at("expect").as_object();
    const std::string kind = Text(one.at("expect"), "kind");
    const bool own = kind.starts_with("peer_") || kind == "device_sent";
    const auto content = DecodeMessage(HexMember(one, "hex"), own);
    ASSERT_TRUE(content.ok());
    EXPECT_EQ(KindName(*content, kind), kind);
    const auto text = [&](const char* member, const std::string& actual) {
      if (expect.contains(member)) {
        EXPECT_EQ(actual, Text(one.at("expect"), member)) << member;
      }
    };
    text("text", content->text);
    text("media", MediaName(content->media));
    text("target_id", content->target_id);
    text("quoted_id", content->quoted_id);
    text("button_id", content->choice_id);
    text("destination", content->destination);
    EXPECT_EQ(content->view_once, expect.contains("view_once"));
    if (expect.contains("expiration")) {
      EXPECT_EQ(content->expiration, expect.at("expiration").as_int64());
    }
    if (expect.contains("pairs")) {
      ASSERT_EQ(content->lid_mappings.size(), 1u);
      EXPECT_EQ(content->lid_mappings[0].first, 34600000002u);
      EXPECT_EQ(content->lid_mappings[0].second, 222222222222222u);
    }
    if (own) {
      const auto spoofed = DecodeMessage(HexMember(one, "hex"), false);
      ASSERT_TRUE(spoofed.ok());
      EXPECT_EQ(spoofed->kind, ContentKind::kNothing) << "only our own account may say this";
    }
  }
}

TEST(DecodeMessage, RefusesWhatIsNoMessage) {
  const boost::json::value vectors = ReadVectors("messages.json");
  for (const auto& hex : vectors.at("malformed").as_array()) {
    EXPECT_FALSE(DecodeMessage(testing::Unhex(std::string(hex.as_string())), false).ok());
  }
  EXPECT_FALSE(DecodeMessage(Bytes(kMaxMessageSize + 1), false).ok());
}

TEST(DecodeMessage, GivesValidUtf8Only) {
  whatsapp::Message message;
  message.set_conversation(
      "a\xff\xfe"
      "b");
  EXPECT_EQ(Decoded(message).text,
            "a\xef\xbf\xbd\xef\xbf\xbd"
            "b");
}

TEST(DecodeMessage, AWrapperWithinAWrapperComesToAnEnd) {
  whatsapp::Message message;
  message.set_conversation("deep");
  for (int i = 0; i < 9; ++i) {
    whatsapp::Message outer;
    *outer.mutable_ephemeral_message()->mutable_message() = message;
    message = outer;
  }
  EXPECT_EQ(Decoded(message).text, "deep");
  for (int i = 0; i < 30; ++i) {
    whatsapp::Message outer;
    *outer.mutable_view_once_message()->mutable_message() = message;
    message = outer;
  }
  EXPECT_EQ(Decoded(message).kind, ContentKind::kUnknown);
}

TEST(DecodeMessage, AProtocolMessageWithoutATypeDeletesNothing) {
  whatsapp::Message message;
  message.mutable_protocol_message()->mutable_key()->set_id("X");
  EXPECT_EQ(Decoded(message).kind, ContentKind::kNothing);
  message.mutable_protocol_message()->set_type(0);
  EXPECT_EQ(Decoded(message).kind, ContentKind::kDeletion);
}

TEST(DecodeMessage, AnEditInsideAnEditIsNone) {
  whatsapp::Message message;
  auto* edit = message.mutable_protocol_message();
  edit->mutable_key()->set_id("X");
  edit->set_type(14);
  auto* inner = edit->mutable_edited_message()->mutable_protocol_message();
  inner->mutable_key()->set_id("Y");
  inner->set_type(0);
  EXPECT_EQ(Decoded(message).kind, ContentKind::kNothing);
}

TEST(DecodeMessage, ACaptionOfAnEditedPictureIsTheNewText) {
  whatsapp::Message message;
  auto* edit = message.mutable_protocol_message();
  edit->mutable_key()->set_id("X");
  edit->set_type(14);
  edit->mutable_edited_message()->mutable_image_message()->set_caption("my knee");
  const MessageContent content = Decoded(message);
  EXPECT_EQ(content.kind, ContentKind::kEdit);
  EXPECT_EQ(content.text, "my knee");
  EXPECT_EQ(content.target_id, "X");
}

TEST(DecodeMessage, APlaceWithoutAName) {
  whatsapp::Message message;
  message.mutable_location_message()->set_degrees_latitude(12.5);
  message.mutable_location_message()->set_degrees_longitude(-3);
  EXPECT_EQ(Decoded(message).text, "12.50000, -3.00000");
}

TEST(DecodeMessage, ReadsWhatTheOwnPhoneFoundAgain) {
  whatsapp::WebMessageInfo info;
  info.mutable_key()->set_remote_jid("34600000002@s.whatsapp.net");
  info.mutable_key()->set_id("3EB0AA");
  info.mutable_message()->set_conversation("found");
  info.set_message_timestamp(1'700'000'000);
  whatsapp::Message message;
  auto* protocol = message.mutable_protocol_message();
  protocol->set_type(17);
  auto* response = protocol->mutable_peer_data_operation_request_response_message();
  response->set_peer_data_operation_request_type(4);
  response->set_stanza_id("REQUEST");
  response->add_peer_data_operation_result()->mutable_placeholder_message_resend_response()->set_web_message_info_bytes(
      info.SerializeAsString());
  const MessageContent content = Decoded(message, true);
  ASSERT_EQ(content.kind, ContentKind::kFoundAgain);
  ASSERT_EQ(content.found.size(), 1u);
  EXPECT_EQ(content.request_id, "REQUEST");
  EXPECT_EQ(content.found[0].id, "3EB0AA");
  EXPECT_EQ(DecodeMessage(content.found[0].message, false)->text, "found");
  EXPECT_EQ(Decoded(message, false).kind, ContentKind::kNothing);
}

TEST(MessagePadding, IsTheOneOfTheVectors) {
  const boost::json::value vectors = ReadVectors("messaging-misc.json");
  const auto& padding = vectors.at("padding");
  for (const auto& one : padding.at("valid").as_array()) {
    const Bytes padded = HexMember(one, "padded");
    const auto message = UnpadMessage(padded);
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(ToBytes(*message), HexMember(one, "message"));
  }
  for (const auto& one : padding.at("invalid").as_array()) {
    EXPECT_FALSE(UnpadMessage(HexMember(one, "padded")).has_value()) << Text(one, "why");
  }
}

TEST(MessagePadding, TakesOneToFifteenBytes) {
  for (int nibble = 0; nibble < 256; ++nibble) {
    const Entropy entropy = testing::ScriptedEntropy({static_cast<std::uint8_t>(nibble)});
    const Bytes padded = PadMessage(AsBytes("hello"), entropy);
    EXPECT_GE(padded.size(), 6u);
    EXPECT_LE(padded.size(), 20u);
    EXPECT_EQ(ToString(UnpadMessage(padded).value()), "hello");
  }
}

}  // namespace
}  // namespace medidesk::gateway::wa
