// `audit verify`: whether the audit log is as it was written.
#pragma once

#include <ostream>

#include "cli/command.h"
#include "medidesk/store/v1/audit.pb.h"

namespace medidesk::cli {

extern const Command kAuditCommand;

// Writes the last message of VerifyAudit for people; gives the exit code: 1 for a chain that does not hold.
int PrintVerdict(const store::v1::VerifyAuditResponse& verdict, std::ostream& out);

}  // namespace medidesk::cli
