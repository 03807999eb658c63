// `certs DIR`: a certificate authority and certificates for trials.
#pragma once

#include "cli/command.h"

namespace medidesk::cli {

extern const Command kCertsCommand;

}  // namespace medidesk::cli
