// What the bot of a number deals in, and what it needs of the rest: its connection, the store, the assistant.
//
// Everything here happens on the number's strand; coroutines resume on it. No exceptions.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/wa/messages/message_action.h"
#include "gateway/wa/messages/sender.h"
#include "gateway/wa/moment.h"

namespace medidesk::gateway::bot {

// Who wrote an outgoing message. The numbers are those of the store's ReplyOrigin.
enum class Origin { kBot = 1, kGate = 2, kStaff = 3, kService = 4 };

struct Reply {
  std::string id;    // UUID
  std::string text;  // the whole of it, as it was written
  Origin origin = Origin::kBot;
};

// The numbers are those of the store's TurnState; kNone: the message is in no turn.
enum class TurnState { kNone = 0, kOpen = 1, kSealed = 2, kAnswered = 3, kSkipped = 4 };

// A message that the store has accepted.
struct AcceptedMessage {
  wa::InboundMessage message;
  std::string language;  // BCP 47, as guessed from the text
  std::string conversation_id;
  std::string turn_id;  // empty: in no turn
  TurnState turn_state = TurnState::kNone;
  bool duplicate = false;
  bool takeover = false;  // a person answers in this conversation
  std::optional<Reply> reply = {};
  bool stale_notice_due = false;
};

// What the assistant, or the store, says to a turn.
struct Answer {
  std::optional<Reply> reply = {};  // absent: nothing may be sent
};

// A part of a reply that waits in the store.
struct WaitingPart {
  Reply reply;
  int part = 0;
  bool tried = false;  // an attempt to send it was committed before
  std::string conversation_id;
  std::string recipient;                           // E.164 with +, or "lid:<digits>"
  wa::WallTime created = {};                       // by the database's clock
  std::optional<wa::WallTime> last_received = {};  // from this person; absent: not known
};

struct PendingTurn {
  std::string id;
  std::string conversation_id;
};

struct Pending {
  std::vector<PendingTurn> turns;
  std::vector<WaitingPart> parts;
};

// The services behind the bot. Errors are those of the RPCs.
class Backend {
 public:
  virtual ~Backend() = default;

  // AssistantService.Reply.
  virtual boost::asio::awaitable<absl::StatusOr<Answer>> AskAssistant(const std::string& turn_id,
                                                                      std::chrono::milliseconds limit) = 0;
  // ConversationService.CommitReply, by `commit_id`: the reply that won. `task`: a code, empty for none.
  virtual boost::asio::awaitable<absl::StatusOr<Answer>> CommitReply(const std::string& turn_id,
                                                                     const std::string& commit_id,
                                                                     const std::string& text, const std::string& source,
                                                                     const std::string& task) = 0;
  // Whom a conversation is with, as WaitingPart::recipient.
  virtual boost::asio::awaitable<absl::StatusOr<std::string>> RecipientOf(const std::string& conversation_id) = 0;
};

// How a part ended that is not told by WhatsApp. The numbers are those of the store's PartState.
enum class PartEnd { kFailed = 6, kUnknown = 8 };

// The number's connection, and the door of its writes.
class Line {
 public:
  virtual ~Line() = default;

  virtual boost::asio::any_io_executor executor() = 0;
  // Keeps the line, and all that is made for it, alive as long as a coroutine needs it.
  virtual std::shared_ptr<const void> Hold() = 0;
  virtual wa::Moment now() = 0;
  // Logged in: something can be sent.
  virtual bool online() = 0;
  // What waited while we were away has come, or 60 s have passed since the login.
  virtual bool caught_up() = 0;

  // As MessageLayer has them.
  virtual absl::Status Send(const wa::OutboundPart& part) = 0;
  virtual void ShowTyping(const wa::Jid& chat, bool on) = 0;
  virtual void MarkRead(const wa::Jid& chat, const std::vector<std::string>& ids) = 0;
  // Writes the end of a part; OK once it is stored. A part that failed gets a staff task from the store.
  virtual boost::asio::awaitable<absl::Status> EndPart(std::string stanza_id, PartEnd end, std::string failure) = 0;
};

// "+15550001111" or "lid:1234" -> the person's address; nullopt for anything else.
std::optional<wa::Jid> AddressOf(std::string_view recipient);

}  // namespace medidesk::gateway::bot
