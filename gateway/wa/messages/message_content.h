// What a decrypted message says: one of WhatsApp's many kinds of message, as a text bot sees it.
//
//   extendedText{text}                         kText "text"           image{caption}   kMedia image "caption"
//   ephemeral{viewOnce{conversation}}          kText                  voice note       kMedia voice
//   editedMessage{protocol{edit, key, new}}    kEdit, target, "new"   reaction         kReaction, target, "emoji"
//   deviceSent{destination, message}           the message inside, with `destination`
//
// Wrappers are opened, texts made valid UTF-8 and bounded. What only our own account may say (history, keys, mappings,
// what the phone found again, deviceSent) is dropped from others: kNothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

enum class ContentKind {
  kText,           // words: text, button or list answer, place, contact, poll question
  kMedia,          // something that only a person can look at or listen to; text is its caption
  kEdit,           // `text` replaces the message `target_id`
  kDeletion,       // takes the message `target_id` back
  kReaction,       // an emoji on `target_id`; empty takes it back
  kExpirationSet,  // the chat's messages vanish after `expiration`
  kHistory,        // own account: what was before we were linked
  kLidMappings,    // own account
  kFoundAgain,     // own phone: messages that we could not read
  kNothing,        // nothing that a person said: keys, votes, settings
  kUnknown,        // of a kind that is newer than we are
};

enum class MediaKind { kNone, kImage, kVideo, kVoice, kAudio, kDocument, kSticker };

// A message that the own phone had, as answer to a placeholder request.
struct FoundMessage {
  std::string chat;  // address, by phone number or hidden id
  std::string id;
  bool from_me = false;
  std::string push_name;
  std::int64_t time = 0;  // Unix seconds; 0: not said
  Bytes message;          // for DecodeMessage
};

struct MessageContent {
  ContentKind kind = ContentKind::kUnknown;
  MediaKind media = MediaKind::kNone;
  std::string text;
  std::string target_id;
  bool target_from_me = false;  // as the sender sees it: a message of the sender's own
  std::string quoted_id;
  std::string choice_id;  // of a button or row
  bool view_once = false;
  bool live = false;  // a place that goes on changing
  // What the message tells of the chat's timer: seconds, 0 never; and Unix seconds of when that was set, 0 unknown.
  std::optional<std::uint32_t> expiration;
  std::int64_t expiration_set = 0;

  std::string destination;  // own account: the chat a deviceSent message went to
  Bytes history;            // kHistory: the compressed blob, when it came inline
  std::vector<std::pair<std::uint64_t, std::uint64_t>> lid_mappings;  // phone number, hidden id
  std::vector<FoundMessage> found;
  std::string request_id;  // kFoundAgain: of the message that asked
};

inline constexpr std::size_t kMaxMessageSize = 1u << 20;    // bytes
inline constexpr std::size_t kMaxMessageText = 256u << 10;  // bytes, before invalid ones are replaced

// `message`: without padding. `from_own_account`: the stanza came from another device of ours. INVALID_ARGUMENT for
// what is no message or larger than kMaxMessageSize.
absl::StatusOr<MessageContent> DecodeMessage(ByteView message, bool from_own_account);

// "[voice message]": what stands in place of something that cannot be read.
std::string_view WordsOf(MediaKind media);

}  // namespace medidesk::gateway::wa
