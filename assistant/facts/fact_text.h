// Each fact as compact plain text: what the model reads and what search shows. Fixed and deterministic.
#pragma once

#include <string>

#include "medidesk/store/v1/knowledge.pb.h"

namespace medidesk::assistant {

// Several lines: name, address, numbers, desk hours, holidays, languages, insurers.
std::string HospitalText(const store::v1::Hospital& hospital);
// One line each, without a line end; an FAQ has two.
std::string VisitingText(const store::v1::VisitingHours& row);
std::string DepartmentText(const store::v1::Department& row);
std::string DoctorText(const store::v1::Doctor& row, const std::string& department_name);
std::string FaqText(const store::v1::Faq& row);

// "Dr. Anil Menon, Head of Cardiology" from title and name.
std::string DoctorName(const store::v1::Doctor& row);
// "Dr. Anil Menon".
std::string ShortDoctorName(const store::v1::Doctor& row);

}  // namespace medidesk::assistant
