// Messages between linked devices, as the server carries them: to each device what was encrypted for it, receipts back,
// and what devices ask of one another's accounts.
//
//   message            an ack, then its <enc> to each device that is named, kept until that confirms it
//   receipt            an ack, then to the devices of whom it is for; a retry to the one device alone
//   chatstate          to whoever is there
//   usync, tokens      which devices an account has; trust that an account gives another
//
// A message under an id that its account has sent already is acknowledged and goes nowhere, unless it answers a retry.
// Phones (device 0) have keys, so that they can be written to, and read nothing.
#pragma once

#include "tests/sim/whatsapp/world.h"

namespace medidesk::whatsapp_sim {

void AddMessageHandlers(StanzaRouter& router);
// Which devices an account has, and its other address.
void AddAccountQueries(StanzaRouter& router);

// The account's own devices, and all that it has written with, hear that it gained or lost a device.
void TellDevices(World& world, Account& account, const Device& device, bool added);

}  // namespace medidesk::whatsapp_sim
