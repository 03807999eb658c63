// Tells the server that a stanza has arrived, so that it does not come again.
#pragma once

#include <optional>

#include "gateway/wa/node.h"

namespace medidesk::gateway::wa {

// The <ack> of a message, receipt, notification, call, or of any other stanza with an id and a sender; nullopt for what
// is never acknowledged (iq, ib, presence, chatstate, ack, success, failure, stream:error) and where either is missing.
// `own_device` is named in acks of messages. Send it once the stanza's effect is durable.
std::optional<Node> AckOf(const Node& stanza, const Jid& own_device);

}  // namespace medidesk::gateway::wa
