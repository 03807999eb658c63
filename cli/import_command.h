// `import`: makes the stored facts equal to one hospital file, after showing what that changes.
#pragma once

#include "cli/command.h"

namespace medidesk::cli {

extern const Command kImportCommand;

}  // namespace medidesk::cli
