// What an import changes, for people to read:
//
//   ~ faqs.parking
//       answer
//         - Yes, in the basement.
//         + No.
//   + doctors.asha-rao: Asha Rao
//   - departments.dental: Dental care
//
//   departments: 1 removed, 14 stay
//   doctors: 1 added, 30 stay
//
// Of a changed row each field that differs, and of it only the lines that do; of an added or removed row its
// name, or all fields when `full`.
#pragma once

#include <string>

#include "medidesk/store/v1/knowledge.pb.h"

namespace medidesk::cli {

// Ends with a line end; empty when nothing changes.
std::string DescribeImport(const store::v1::KnowledgeServiceImportResponse& response, bool full);

}  // namespace medidesk::cli
