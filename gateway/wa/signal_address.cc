#include "gateway/wa/signal_address.h"

namespace medidesk::gateway::wa {

std::string SignalAddressName(const Jid& jid) {
  if (jid.server == kLidServer) return jid.user + "_1";
  if (jid.server == kHostedServer) return jid.user + "_128";
  if (jid.server == kHostedLidServer) return jid.user + "_129";
  return jid.user;
}

std::string SignalAddressKey(const Jid& jid) { return SignalAddressName(jid) + "." + std::to_string(jid.device); }

}  // namespace medidesk::gateway::wa
