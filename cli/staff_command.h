// `staff add|list|invite|first`: accounts of the dashboard.
#pragma once

#include "cli/command.h"

namespace medidesk::cli {

extern const Command kStaffCommand;

}  // namespace medidesk::cli
