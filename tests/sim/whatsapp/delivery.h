// Stanzas from the server to a device, kept until the device confirms them: message, receipt, notification, call.
// Whoever routes messages (messages.h) calls Deliver for each target device.
#pragma once

#include <string_view>

#include "gateway/wa/node.h"
#include "tests/sim/whatsapp/account.h"
#include "tests/sim/whatsapp/world.h"

namespace medidesk::whatsapp_sim {

// Sends the stanza to the device, at once or when it is active again. One with an id that must be confirmed is kept
// until it is, and sent again at the next login with the attribute `offline`.
void Deliver(Device& device, gateway::wa::Node stanza);

// The device has it.
void Confirm(Device& device, std::string_view tag, std::string_view id);

// After a device became active: routing info, what waits for it, and the mark that nothing else does.
void DrainPending(Session& session);

// Acks of devices, and what needs no answer.
void AddDeliveryHandlers(StanzaRouter& router);

}  // namespace medidesk::whatsapp_sim
