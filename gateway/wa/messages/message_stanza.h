// A <message> as it came, before anything of it is decrypted: whose it is, and what it carries.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/wa/messages/message_host.h"
#include "gateway/wa/node.h"

namespace medidesk::gateway::wa {

enum class StanzaOrigin {
  kPerson,     // somebody writes to us
  kOwnDevice,  // a person of ours wrote to somebody on another device
  kOwnPeer,    // our own devices among themselves
  kForeign,    // groups, status, channels, bots, services: confirmed and left alone
};

struct Ciphertext {
  bool pre_key = false;
  ByteView bytes;  // of the node
  int count = 0;   // which repetition this is; 0: the first
};

// Refers to the node that it was read from.
struct MessageStanza {
  StanzaOrigin origin = StanzaOrigin::kForeign;
  std::string id = {};
  Jid from = {};                  // the sending device
  Jid chat = {};                  // the person, plain, in the form of the stanza; of kOwnPeer our own account
  std::optional<Jid> phone = {};  // of the person, as far as the stanza tells
  std::optional<Jid> lid = {};
  std::string push_name = {};
  std::int64_t time = 0;  // Unix seconds
  bool offline = false;
  bool hidden = false;     // an edit, a deletion, a reaction: no message of its own
  bool says_text = false;  // by its type a person's message, not a reaction or vote
  std::vector<Ciphertext> encrypted = {};
  bool unavailable = false;  // nothing for this device; `unavailable_type` why
  std::string unavailable_type = {};
};

MessageStanza ReadMessageStanza(const Node& node, const MessageHost& host);

}  // namespace medidesk::gateway::wa
