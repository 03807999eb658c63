// `token create|list|revoke`: who may call from outside.
#pragma once

#include "cli/command.h"

namespace medidesk::cli {

extern const Command kTokenCommand;

}  // namespace medidesk::cli
