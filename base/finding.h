// What a check of an installation found: one line that says what is, one that says what to do.
//
// `./medidesk doctor` gathers findings of several programs: each prints its own as JSON lines.
//
//   {"check":"database","level":"error","what":"fsync is off: ...","cure":"set fsync = on and restart PostgreSQL"}
//
// Texts are for an operator's screen and may be sent on: no secret, no patient's data, no text of a peer.
#pragma once

#include <string>
#include <string_view>

namespace medidesk {

enum class FindingLevel {
  kOk,
  kSkipped,  // could not be checked, or there is nothing to check
  kWarning,
  kError,  // broken: somebody must act
};

struct Finding {
  FindingLevel level = FindingLevel::kOk;
  std::string check = {};  // the subject: "database", "certificates"
  std::string what = {};   // what was found
  std::string cure = {};   // what to do; empty when all is well
};

std::string_view Name(FindingLevel level);  // ok, skipped, warning, error

// One JSON object without a line break.
std::string ToJson(const Finding& finding);

}  // namespace medidesk
