// Stanzas from the server to a device, kept until the device confirms them: message, receipt, notification, call.
// This is where messages will join: whoever routes them calls Deliver for each target device.
#pragma once

#include "gateway/wa/node.h"
#include "tests/sim/whatsapp/account.h"
#include "tests/sim/whatsapp/world.h"

namespace medidesk::whatsapp_sim {

// Sends the stanza to the device, at once or when it is active again. One with an id that must be confirmed is kept
// until it is, and sent again at the next login with the attribute `offline`.
void Deliver(Device& device, gateway::wa::Node stanza);

// After a device became active: routing info, what waits for it, and the mark that nothing else does.
void DrainPending(Session& session);

// Acks and receipts of devices, and what needs no answer.
void AddDeliveryHandlers(StanzaRouter& router);

}  // namespace medidesk::whatsapp_sim
