// Asks services for something that they can only answer when they work: for probes, and for people.
#pragma once

#include "cli/command.h"

namespace medidesk::cli {

extern const Command kHealthCommand;

}  // namespace medidesk::cli
