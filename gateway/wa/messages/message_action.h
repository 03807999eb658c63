// What the message layer wants done, and what it tells: the answers to every input of MessageLayer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "gateway/wa/device_record.h"
#include "gateway/wa/jid.h"
#include "gateway/wa/messages/message_content.h"
#include "gateway/wa/moment.h"
#include "gateway/wa/node.h"
#include "gateway/wa/session_action.h"

namespace medidesk::gateway::wa {

// ---- What came in -------------------------------------------------------------------------------

// The numbers are those of the store's InboundKind.
enum class InboundKind {
  kText = 1,
  kUnreadable = 2,
  kEdit = 3,
  kDeletion = 4,
  kReaction = 5,
  kUndecryptable = 6,
};

// One message of a chat with one person, for the store to accept.
struct InboundMessage {
  std::string id = {};                         // WhatsApp's
  Jid chat = {};                               // the person, without device: answers go here
  std::string phone = {};                      // of the person, digits; empty: not known
  std::string lid = {};                        // of the person, digits; empty: not known
  std::string push_name = {};                  // as the sender calls itself; anybody may call itself anything
  bool from_me = false;                        // typed on another device of ours, to this person
  bool offline = false;                        // it waited while we were away
  WallTime time = {};                          // the server's time of it
  std::chrono::milliseconds server_offset{0};  // WhatsApp's clock minus ours
  InboundKind kind = InboundKind::kText;
  MediaKind media = MediaKind::kNone;  // what came with the text, or instead of one
  std::string text = {};               // valid UTF-8; of kUnreadable our own words for it
  std::string target_id = {};          // of an edit, deletion, reaction; of a text what it quotes
  std::string choice_id = {};          // of a button or list answer
};

// A phone number and a hidden id are one person. Digits.
struct LearnedContact {
  std::string phone;
  std::string lid;

  friend bool operator==(const LearnedContact&, const LearnedContact&) = default;
};

// The numbers are those of the store's PartState.
enum class DeliveryState { kSent = 3, kDelivered = 4, kRead = 5 };

struct DeliveryMark {
  std::string stanza_id;
  DeliveryState state;
  WallTime time;  // by WhatsApp's clock

  friend bool operator==(const DeliveryMark&, const DeliveryMark&) = default;
};

// One attempt to send a part: the store says whether it may leave.
struct OutboundAttempt {
  std::string reply_id;
  int part = 0;
  int part_count = 1;
  std::string stanza_id;
  bool retry = false;  // a device that could not read an acknowledged part asks for it again
};

// ---- Actions, to be done in their order ---------------------------------------------------------

// Session::Send. Dropped without a connection.
struct SendStanza {
  Node node;
};

// One transaction: all of it or nothing, durably and in the order of the numbers; then OnCommitted. Several may be put
// into one batch.
struct MessageCommit {
  std::uint64_t commit = 0;
  RecordChanges changes = {};
  std::vector<LearnedContact> learned = {};
  std::vector<InboundMessage> inbound = {};
  std::optional<OutboundAttempt> outbound = {};
  std::vector<DeliveryMark> marks = {};
};

// ---- Events -------------------------------------------------------------------------------------

// How an attempt to send a part ended. What is not listed is still under way.
struct PartOutcome {
  enum class Kind {
    kAcknowledged,  // the server has it; the mark kSent is on its way to the store
    kRefused,       // by the server, with `code`
    kNoAck,         // 60 s without an answer, or the connection went: perhaps it has it. The same id may be sent again
    kNotSent,       // nothing left: no connection, or the server did not tell whom to send to
    kNoDevice,      // none of the person's devices could be written to
  };
  std::string reply_id;
  int part = 0;
  std::string stanza_id;
  Kind kind = Kind::kNotSent;
  int code = 0;
};

// The person in this chat began or stopped typing.
struct PeerTyping {
  Jid chat;
  bool composing = false;
};

// The account may not write to people it has no chat with, or may again.
struct ReachoutLimited {
  bool active = false;
  std::optional<WallTime> ends = {};
  std::string kind;  // as WhatsApp names it; may be empty
};

// How many new chats the account may open.
struct NewChatCap {
  std::string status;  // NONE, FIRST_WARNING, SECOND_WARNING, CAPPED or something newer
  std::optional<WallTime> ends = {};
};

// A person has new keys: another phone, or WhatsApp installed again.
struct IdentityChanged {
  Jid chat;
};

// Our own phone has given a sign of life. At most once in 10 min.
struct OwnPhoneSeen {};

using MessageEvent = std::variant<PartOutcome, PeerTyping, ReachoutLimited, NewChatCap, IdentityChanged, OwnPhoneSeen>;

using MessageAction = std::variant<SendStanza, LoadRecords, MessageCommit, WaitUntil, MessageEvent>;
using MessageActions = std::vector<MessageAction>;

}  // namespace medidesk::gateway::wa
