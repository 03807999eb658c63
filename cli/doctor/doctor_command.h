// `./medidesk doctor`: checks an installation and says what to do. See checks.h.
#pragma once

#include "cli/command.h"

namespace medidesk::cli {

extern const Command kDoctorCommand;

}  // namespace medidesk::cli
