#include "cli/certs_command.h"
#include "cli/command.h"

namespace medidesk::cli {

const std::vector<const Command*>& AllCommands() {
  static const std::vector<const Command*> all = {
      &kCertsCommand,
  };
  return all;
}

}  // namespace medidesk::cli
