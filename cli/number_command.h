// medidesk-cli number: lists the hospital's WhatsApp numbers, switches them on and off.
#pragma once

#include "cli/command.h"

namespace medidesk::cli {

extern const Command kNumberCommand;

}  // namespace medidesk::cli
