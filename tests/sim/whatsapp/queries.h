// What a logged-in device asks the server: its pre-keys, going active, settings, logging out.
#pragma once

#include "tests/sim/whatsapp/world.h"

namespace medidesk::whatsapp_sim {

// Tells the device how few one-time pre-keys the server has left for it.
void TellPreKeysLow(World& world, Device& device);

void AddQueryHandlers(StanzaRouter& router);

}  // namespace medidesk::whatsapp_sim
