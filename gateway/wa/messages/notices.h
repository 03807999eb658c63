// What comes besides messages: receipts of what we sent, and news of people's devices, keys and tokens. For use inside
// a step, one stanza after another; all of it is confirmed once its effect is stored.
#pragma once

#include "gateway/wa/messages/address_book.h"
#include "gateway/wa/messages/message_host.h"
#include "gateway/wa/messages/retry_answers.h"
#include "gateway/wa/messages/sender.h"

namespace medidesk::gateway::wa {

class Notices {
 public:
  Notices(MessageHost& host, AddressBook& book, RetryAnswers& retries, Sender& sender)
      : host_(host), book_(book), retries_(retries), sender_(sender) {}

  void OnReceipt(const Node& receipt, Effects& effects);
  void OnNotification(const Node& notification, Effects& effects);
  // Needs no record.
  std::optional<PeerTyping> TypingOf(const Node& chatstate) const;

 private:
  void OnIdentity(const Node& notification, Effects& effects);
  void OnDevices(const Node& notification, Effects& effects);
  void OnToken(const Node& notification, Effects& effects);
  void OnAccount(const Node& notification, Effects& effects);

  MessageHost& host_;
  AddressBook& book_;
  RetryAnswers& retries_;
  Sender& sender_;
};

// The news in the JSON of a <notification type="mex">; none when it is of another kind or malformed.
std::optional<MessageEvent> AccountNewsOf(std::string_view name, std::string_view json, WallTime now);

}  // namespace medidesk::gateway::wa
