// Which time it is, and unpredictable bytes: what a session is given from outside.
#pragma once

#include <functional>

#include "gateway/wa/entropy.h"
#include "gateway/wa/moment.h"

namespace medidesk::gateway::net {

using SessionClock = std::function<wa::Moment()>;

// The system's clocks.
wa::Moment SystemMoment();

// OpenSSL's generator. Ends the process when it fails: keys that can be guessed are worse than none.
wa::Entropy SystemEntropy();

}  // namespace medidesk::gateway::net
