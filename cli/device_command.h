// medidesk device: a linked device's keys in a file, and back from it.
//
//   device export NAME FILE          what a restore may keep, sealed under MEDIDESK_MASTER_KEY; FILE must not exist
//   device import FILE [--as NAME]   gives it to the number of that name (made when absent); refused while a gateway
//                                    holds the number
//   device renew NAME                the same from the database itself, after it was restored from a backup
#pragma once

#include "cli/command.h"

namespace medidesk::cli {

extern const Command kDeviceCommand;

}  // namespace medidesk::cli
