// The stanzas that the message layer sends.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gateway/wa/messages/message_host.h"
#include "gateway/wa/pre_keys.h"

namespace medidesk::gateway::wa {

// An address as an attribute of `node` has it, in whatever form it came.
std::optional<Attribute> CopyOf(const Node& node, std::string_view name, std::string_view as = {});

// Tells the sender that its message is here, and so the server. `inactive`: nobody looks at the screen.
Node DeliveryReceipt(const Node& message, bool inactive);
// Of a message that another device of ours sent.
Node SenderReceipt(const Node& message);
// Of a message among our own devices; and of the history that such a one announced.
Node PeerReceipt(const Node& message);
Node HistoryReceipt(const Node& message, const Jid& own_account);
// Of messages that a person at the desk, or the bot, has taken up. `ids`: of one chat, not empty. `hidden`: the account
// does not let people see what it has read; its own devices hear of it.
Node ReadReceipt(const Jid& chat, std::span<const std::string> ids, std::int64_t now, bool hidden);

struct RetryKeys {
  PreKey one_time;
  const SignedPreKey& signed_pre_key;
  const Key32& identity;
  ByteView device_identity;
};
// Asks for a message again. `count` from 1; `error`: RetryErrorCode.
Node RetryReceipt(const Node& message, int count, int error, std::uint32_t registration_id,
                  const std::optional<RetryKeys>& keys);

Node ChatState(const Jid& chat, bool composing);

// One <to> of a message.
struct EncryptedFor {
  Jid device;
  Encrypted message;
};
Node EncNode(const Encrypted& message, int count = 0);
// `extra`: what comes behind the participants.
Node MessageNode(const std::string& id, const Jid& to, const std::optional<Jid>& phone,
                 std::vector<EncryptedFor> participants, std::vector<Node> extra);

}  // namespace medidesk::gateway::wa
