// Messages that come in: decrypts, decodes and confirms them. For use inside a step, one stanza after another.
#pragma once

#include <optional>

#include "gateway/wa/messages/address_book.h"
#include "gateway/wa/messages/message_host.h"
#include "gateway/wa/messages/message_stanza.h"
#include "gateway/wa/messages/retry_requests.h"

namespace medidesk::gateway::wa {

class Receiver {
 public:
  struct Options {
    bool inactive_receipts = true;  // nobody sees the screen: the phone keeps its own notifications
  };

  Receiver(MessageHost& host, AddressBook& book, RetryRequests& retries, Options options)
      : host_(host), book_(book), retries_(retries), options_(options) {}

  void OnMessage(const Node& node, Effects& effects);
  // What OnMessage will look at first, to be loaded for many stanzas at once.
  std::vector<RecordName> NamesOf(const Node& node);

 private:
  // nullopt when records are missing.
  std::optional<DecryptOutcome> Open(const MessageStanza& stanza, Bytes& plaintext);
  Decrypted DecryptAny(const Jid& device, const Ciphertext& encrypted);
  void OnContent(const Node& node, const MessageStanza& stanza, ByteView padded, Effects& effects);
  void OnPeerContent(const Node& node, const MessageStanza& stanza, MessageContent content, Effects& effects);
  void OnFound(const FoundMessage& found, Effects& effects);
  void OnHistory(ByteView compressed, Effects& effects);
  void KeepExpiration(const Jid& chat, const MessageContent& content);
  InboundMessage InboundOf(const MessageStanza& stanza);
  // False: there is nothing to tell.
  static bool Fill(const MessageContent& content, bool counts_unknown, InboundMessage& inbound);
  void Confirm(const Node& node, const MessageStanza& stanza, Effects& effects);
  void LearnLater(std::vector<std::pair<Jid, Jid>> pairs, Effects& effects);

  MessageHost& host_;
  AddressBook& book_;
  RetryRequests& retries_;
  Options options_;
};

// How long the messages of a chat live, seconds; 0: for ever. For use inside a step.
struct ChatExpiration {
  std::uint32_t seconds = 0;
  std::int64_t set = 0;  // Unix seconds
};
ChatExpiration ReadChatExpiration(Workspace& workspace, const Jid& account);

// The secret for derived contact tokens; empty when not known.
RecordName TokenSaltName();
// What is known of the trust of an account.
RecordName ContactTokenName(const Jid& account);

}  // namespace medidesk::gateway::wa
