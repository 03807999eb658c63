// One hospital's facts as one YAML file (docs/hospital-file.md), read and written.
//
// Sections and fields are those of medidesk/store/v1/knowledge.proto under the same names, with three
// shorthands: `department` for department_key, weekly hours as text ("Mon-Fri 08:00-18:00"), and a roster as
// a list of {when: hours as text, room: text}. Fields that the store sets are not part of a file.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "store/knowledge/facts.h"

namespace medidesk::store {

// Most problems that an answer lists: of a log's line, and of a check that was asked for.
inline constexpr std::size_t kFewProblems = 20;
inline constexpr std::size_t kAllProblems = 1000;

// Reads and checks a file; the facts are in normal form. InvalidArgument lists, one a line and in the order
// of the file, up to `most_problems` of everything that is wrong, then how many more there are:
//
//   examples/hospital.yaml:12: departments[3].hours: expected ...; write e.g. "Mon-Fri 08:00-18:00"
//
// `file_name` is for these lines only. Never throws; memory is bounded by the limits of facts.h.
absl::StatusOr<Facts> ParseHospitalFile(std::string_view content, std::string_view file_name,
                                        std::size_t most_problems = kFewProblems);

// The file of facts that CheckFacts finds good; ParseHospitalFile of it gives equal facts in normal form,
// without revisions and times.
std::string WriteHospitalFile(const Facts& facts);

}  // namespace medidesk::store
