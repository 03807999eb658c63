// What libsignal-protocol-c asks of a crypto library, from OpenSSL. For the files of this folder alone.
#pragma once

#include <signal/signal_protocol.h>

#include "gateway/wa/entropy.h"

namespace medidesk::gateway::wa {

// Reads `entropy` as long as it is used.
signal_crypto_provider SignalCrypto(const Entropy& entropy);

}  // namespace medidesk::gateway::wa
