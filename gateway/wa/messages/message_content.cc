#include "gateway/wa/messages/message_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/status.h"
#include "gateway/wa/utf8.h"
#include "whatsapp/message.pb.h"

namespace medidesk::gateway::wa {
namespace {

using whatsapp::ContextInfo;
using whatsapp::Message;
using whatsapp::ProtocolMessage;

constexpr int kMaxWrappers = 10;
constexpr std::size_t kMaxIdSize = 256;       // bytes
constexpr std::size_t kMaxMappings = 20'000;  // of one message
constexpr std::size_t kMaxFound = 64;
constexpr int kPlaceholderResend = 4;

// ProtocolMessage.type.
enum ProtocolType {
  kRevoke = 0,
  kEphemeralSetting = 3,
  kHistorySyncNotification = 5,
  kMessageEdit = 14,
  kPeerDataOperationResponse = 17,
  kLidMigrationMapping = 22,
};

std::string Clean(const std::string& bytes, std::size_t limit = kMaxMessageText) {
  return ReplaceInvalidUtf8(AsBytes(std::string_view(bytes).substr(0, limit)));
}

std::string CleanId(const std::string& bytes) { return bytes.size() > kMaxIdSize ? "" : Clean(bytes, kMaxIdSize); }

const std::string& FirstOf(std::initializer_list<const std::string*> texts) {
  static const std::string empty;
  for (const std::string* text : texts) {
    if (!text->empty()) return *text;
  }
  return empty;
}

class Decoder {
 public:
  explicit Decoder(bool from_own_account) : from_own_account_(from_own_account) {}

  MessageContent Decode(const Message& outer) {
    const Message* message = Unwrap(&outer);
    if (message == nullptr) {
      out_.kind = ContentKind::kNothing;
    } else {
      ReadKind(*message);
    }
    return std::move(out_);
  }

 private:
  // The message inside all wrappers; nullptr for a wrapper that only our own account may use.
  const Message* Unwrap(const Message* message) {
    for (int depth = 0; depth < kMaxWrappers; ++depth) {
      if (message->has_device_sent_message()) {
        if (!from_own_account_) return nullptr;
        out_.destination = CleanId(message->device_sent_message().destination_jid());
        message = &message->device_sent_message().message();
        continue;
      }
      const whatsapp::FutureProofMessage* wrapper = Wrapper(*message);
      if (wrapper == nullptr) return message;
      message = &wrapper->message();
    }
    return message;
  }

  const whatsapp::FutureProofMessage* Wrapper(const Message& message) {
    if (message.has_bot_invoke_message()) return &message.bot_invoke_message();
    if (message.has_ephemeral_message()) return &message.ephemeral_message();
    if (message.has_view_once_message()) return ViewOnce(message.view_once_message());
    if (message.has_view_once_message_v2()) return ViewOnce(message.view_once_message_v2());
    if (message.has_view_once_message_v2_extension()) return ViewOnce(message.view_once_message_v2_extension());
    if (message.has_lottie_sticker_message()) return &message.lottie_sticker_message();
    if (message.has_document_with_caption_message()) return &message.document_with_caption_message();
    if (message.has_edited_message()) return &message.edited_message();
    if (message.has_group_mentioned_message()) return &message.group_mentioned_message();
    if (message.has_associated_child_message()) return &message.associated_child_message();
    if (message.has_poll_creation_message_v4()) return &message.poll_creation_message_v4();
    if (message.has_group_status_message()) return &message.group_status_message();
    if (message.has_group_status_message_v2()) return &message.group_status_message_v2();
    if (message.has_spoiler_message()) return &message.spoiler_message();
    return nullptr;
  }

  const whatsapp::FutureProofMessage* ViewOnce(const whatsapp::FutureProofMessage& wrapper) {
    out_.view_once = true;
    return &wrapper;
  }

  void ReadKind(const Message& message) {
    if (message.has_protocol_message()) return Protocol(message.protocol_message());
    if (message.has_reaction_message()) return Reaction(message.reaction_message());
    if (message.has_poll_update_message()) return Vote(message.poll_update_message());
    if (Words(message) || Media(message) || Place(message) || OfBusiness(message)) return;
    const bool only_keys = message.has_sender_key_distribution_message();
    out_.kind = only_keys ? ContentKind::kNothing : ContentKind::kUnknown;
  }

  void Say(const std::string& text) {
    out_.kind = ContentKind::kText;
    out_.text = Clean(text);
  }

  void Context(const ContextInfo& context) {
    out_.quoted_id = CleanId(context.stanza_id());
    if (!context.has_expiration()) return;
    out_.expiration = context.expiration();
    out_.expiration_set = context.ephemeral_setting_timestamp();
  }

  bool Words(const Message& message) {
    if (message.has_extended_text_message()) {
      Say(message.extended_text_message().text());
      Context(message.extended_text_message().context_info());
    } else if (message.has_conversation()) {
      Say(message.conversation());
    } else if (message.has_buttons_response_message()) {
      const auto& answer = message.buttons_response_message();
      Choice(answer.selected_display_text(), answer.selected_button_id(), answer.context_info());
    } else if (message.has_list_response_message()) {
      const auto& answer = message.list_response_message();
      Choice(FirstOf({&answer.title(), &answer.description()}), answer.single_select_reply().selected_row_id(),
             answer.context_info());
    } else if (message.has_template_button_reply_message()) {
      const auto& answer = message.template_button_reply_message();
      Choice(answer.selected_display_text(), answer.selected_id(), answer.context_info());
    } else if (message.has_interactive_response_message()) {
      const auto& answer = message.interactive_response_message();
      Choice(answer.body().text(), answer.native_flow_response_message().name(), answer.context_info());
    } else {
      return false;
    }
    return true;
  }

  // Where a button shows no words, what it stands for is better than silence.
  void Choice(const std::string& text, const std::string& id, const ContextInfo& context) {
    Say(FirstOf({&text, &id}));
    out_.choice_id = CleanId(id);
    Context(context);
  }

  bool Media(const Message& message) {
    if (message.has_image_message()) {
      const auto& image = message.image_message();
      return Show(MediaKind::kImage, image.caption(), image.view_once(), image.context_info());
    }
    if (message.has_video_message() || message.has_ptv_message()) {
      const auto& video = message.has_video_message() ? message.video_message() : message.ptv_message();
      return Show(MediaKind::kVideo, video.caption(), video.view_once(), video.context_info());
    }
    if (message.has_audio_message()) {
      const auto& audio = message.audio_message();
      return Show(audio.ptt() ? MediaKind::kVoice : MediaKind::kAudio, "", audio.view_once(), audio.context_info());
    }
    if (message.has_document_message()) {
      const auto& document = message.document_message();
      return Show(MediaKind::kDocument, document.caption(), false, document.context_info());
    }
    if (message.has_sticker_message()) {
      return Show(MediaKind::kSticker, "", false, message.sticker_message().context_info());
    }
    return false;
  }

  bool Show(MediaKind media, const std::string& caption, bool view_once, const ContextInfo& context) {
    out_.kind = ContentKind::kMedia;
    out_.media = media;
    out_.text = Clean(caption);
    out_.view_once = out_.view_once || view_once;
    Context(context);
    return true;
  }

  bool Place(const Message& message) {
    if (message.has_location_message()) {
      const auto& place = message.location_message();
      const std::string where = Coordinates(place.degrees_latitude(), place.degrees_longitude());
      Say(FirstOf({&place.name(), &place.comment(), &place.address(), &where}));
      Context(place.context_info());
    } else if (message.has_live_location_message()) {
      const auto& place = message.live_location_message();
      const std::string where = Coordinates(place.degrees_latitude(), place.degrees_longitude());
      Say(FirstOf({&place.caption(), &where}));
      Context(place.context_info());
      out_.live = true;
    } else if (message.has_contact_message()) {
      Say(message.contact_message().display_name());
      Context(message.contact_message().context_info());
    } else if (message.has_contacts_array_message()) {
      const auto& contacts = message.contacts_array_message();
      std::string names;
      for (const auto& contact : contacts.contacts()) {
        if (names.size() > kMaxIdSize * 8) break;
        if (!names.empty()) names += ", ";
        names += contact.display_name();
      }
      Say(FirstOf({&names, &contacts.display_name()}));
      Context(contacts.context_info());
    } else {
      return false;
    }
    return true;
  }

  static std::string Coordinates(double latitude, double longitude) {
    const bool sane = latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180;
    return sane ? fmt::format("{:.5f}, {:.5f}", latitude, longitude) : "";
  }

  // Polls, and what businesses write: their words.
  bool OfBusiness(const Message& message) {
    if (message.has_poll_creation_message()) {
      Say(message.poll_creation_message().name());
    } else if (message.has_poll_creation_message_v2()) {
      Say(message.poll_creation_message_v2().name());
    } else if (message.has_poll_creation_message_v3()) {
      Say(message.poll_creation_message_v3().name());
    } else if (message.has_poll_creation_message_v5()) {
      Say(message.poll_creation_message_v5().name());
    } else if (message.has_list_message()) {
      Say(FirstOf({&message.list_message().description(), &message.list_message().title()}));
    } else if (message.has_buttons_message()) {
      Say(message.buttons_message().content_text());
    } else if (message.has_interactive_message()) {
      Say(message.interactive_message().body().text());
    } else if (message.has_template_message()) {
      Say(message.template_message().hydrated_template().hydrated_content_text());
    } else if (message.has_group_invite_message()) {
      Say(FirstOf({&message.group_invite_message().caption(), &message.group_invite_message().group_name()}));
    } else {
      return false;
    }
    if (out_.text.empty()) out_.kind = ContentKind::kUnknown;
    return true;
  }

  void Reaction(const whatsapp::ReactionMessage& reaction) {
    out_.kind = ContentKind::kReaction;
    out_.text = Clean(reaction.text(), kMaxIdSize);
    Target(reaction.key());
  }

  void Vote(const whatsapp::PollUpdateMessage& vote) {
    out_.kind = ContentKind::kNothing;
    Target(vote.poll_creation_message_key());
  }

  void Target(const whatsapp::MessageKey& key) {
    out_.target_id = CleanId(key.id());
    out_.target_from_me = key.from_me();
  }

  void Protocol(const ProtocolMessage& protocol) {
    out_.kind = ContentKind::kNothing;
    Target(protocol.key());
    // An absent type is not the deletion that it would decode as.
    if (!protocol.has_type()) return;
    switch (protocol.type()) {
      case kRevoke:
        if (!out_.target_id.empty()) out_.kind = ContentKind::kDeletion;
        return;
      case kMessageEdit:
        return Edit(protocol.edited_message());
      case kEphemeralSetting:
        out_.kind = ContentKind::kExpirationSet;
        out_.expiration = protocol.ephemeral_expiration();
        out_.expiration_set = protocol.ephemeral_setting_timestamp();
        return;
      default:
        if (from_own_account_) OwnAccount(protocol);
    }
  }

  void Edit(const Message& edited) {
    if (out_.target_id.empty()) return;
    const std::string target = out_.target_id;
    const bool target_from_me = out_.target_from_me;
    Decoder inside(from_own_account_);
    // An edit of an edit is none.
    const Message* message = inside.Unwrap(&edited);
    if (message == nullptr || message->has_protocol_message()) return;
    inside.ReadKind(*message);
    if (inside.out_.kind != ContentKind::kText && inside.out_.kind != ContentKind::kMedia) return;
    out_ = std::move(inside.out_);
    out_.kind = ContentKind::kEdit;
    out_.target_id = target;
    out_.target_from_me = target_from_me;
  }

  void OwnAccount(const ProtocolMessage& protocol) {
    switch (protocol.type()) {
      case kHistorySyncNotification:
        out_.kind = ContentKind::kHistory;
        out_.history = ToBytes(protocol.history_sync_notification().initial_hist_bootstrap_inline_payload());
        return;
      case kLidMigrationMapping:
        return Mappings(protocol.lid_migration_mapping_sync_message().encoded_mapping_payload());
      case kPeerDataOperationResponse:
        return FoundAgain(protocol.peer_data_operation_request_response_message());
      default:
        return;
    }
  }

  void Mappings(const std::string& payload) {
    whatsapp::LidMigrationMappingSyncPayload mappings;
    if (!mappings.ParseFromString(payload)) return;
    out_.kind = ContentKind::kLidMappings;
    for (const auto& mapping : mappings.pn_to_lid_mappings()) {
      const std::uint64_t lid = mapping.latest_lid() != 0 ? mapping.latest_lid() : mapping.assigned_lid();
      if (mapping.pn() == 0 || lid == 0) continue;
      if (out_.lid_mappings.size() >= kMaxMappings) return;
      out_.lid_mappings.emplace_back(mapping.pn(), lid);
    }
  }

  void FoundAgain(const whatsapp::PeerDataOperationRequestResponseMessage& response) {
    if (response.peer_data_operation_request_type() != kPlaceholderResend) return;
    out_.kind = ContentKind::kFoundAgain;
    out_.request_id = CleanId(response.stanza_id());
    for (const auto& result : response.peer_data_operation_result()) {
      whatsapp::WebMessageInfo info;
      const std::string& bytes = result.placeholder_message_resend_response().web_message_info_bytes();
      if (bytes.empty() || out_.found.size() >= kMaxFound || !info.ParseFromString(bytes)) continue;
      out_.found.push_back(
          {.chat = CleanId(info.key().remote_jid()),
           .id = CleanId(info.key().id()),
           .from_me = info.key().from_me(),
           .push_name = CleanId(info.push_name()),
           .time = static_cast<std::int64_t>(std::min<std::uint64_t>(info.message_timestamp(), 1u << 31)),
           .message = ToBytes(info.message().SerializeAsString())});
    }
  }

  const bool from_own_account_;
  MessageContent out_;
};

}  // namespace

absl::StatusOr<MessageContent> DecodeMessage(ByteView bytes, bool from_own_account) {
  Message message;
  if (bytes.size() > kMaxMessageSize || !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Error(absl::StatusCode::kInvalidArgument, "a decrypted message is no message");
  }
  return Decoder(from_own_account).Decode(message);
}

std::string_view WordsOf(MediaKind media) {
  switch (media) {
    case MediaKind::kImage:
      return "[image]";
    case MediaKind::kVideo:
      return "[video]";
    case MediaKind::kVoice:
      return "[voice message]";
    case MediaKind::kAudio:
      return "[audio file]";
    case MediaKind::kDocument:
      return "[document]";
    case MediaKind::kSticker:
      return "[sticker]";
    case MediaKind::kNone:
      break;
  }
  return "[message of an unknown kind]";
}

}  // namespace medidesk::gateway::wa
