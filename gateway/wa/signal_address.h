// Under which key the Signal records of a peer's device are kept.
#pragma once

#include <string>

#include "gateway/wa/jid.h"

namespace medidesk::gateway::wa {

// "34600000002.0", "222222222222222_1.17": the user, `_` and the domain unless it is that of phone numbers, the device.
// The part before the dot is Signal's address name, the rest its device id.
std::string SignalAddressKey(const Jid& jid);

// The part before the dot: all devices of one user share it.
std::string SignalAddressName(const Jid& jid);

}  // namespace medidesk::gateway::wa
