#include "cli/audit_command.h"
#include "cli/certs_command.h"
#include "cli/command.h"
#include "cli/device_command.h"
#include "cli/doctor/doctor_command.h"
#include "cli/export_command.h"
#include "cli/health_command.h"
#include "cli/import_command.h"
#include "cli/link_command.h"
#include "cli/number_command.h"
#include "cli/staff_command.h"
#include "cli/token_command.h"
#include "cli/trace_command.h"

namespace medidesk::cli {

const std::vector<const Command*>& AllCommands() {
  static const std::vector<const Command*> all = {
      &kAuditCommand,  &kCertsCommand,  &kDeviceCommand, &kDoctorCommand, &kExportCommand,
      &kHealthCommand, &kImportCommand, &kLinkCommand,   &kNumberCommand, &kStaffCommand,
      &kTokenCommand,  &kTraceCommand,  &kUnlinkCommand,
  };
  return all;
}

}  // namespace medidesk::cli
