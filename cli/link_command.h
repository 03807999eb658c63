// medidesk-cli link and unlink: the device on the phone.
#pragma once

#include "cli/command.h"

namespace medidesk::cli {

extern const Command kLinkCommand;
extern const Command kUnlinkCommand;

}  // namespace medidesk::cli
