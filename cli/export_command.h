// `export`: writes the stored facts as one hospital file.
#pragma once

#include "cli/command.h"

namespace medidesk::cli {

extern const Command kExportCommand;

}  // namespace medidesk::cli
