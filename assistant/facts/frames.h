// The sentences around the facts, in the patient's language.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace medidesk::assistant {

enum class Frame : std::size_t {
  kGreeting,     // {persona} {hospital}: who speaks
  kCanTell,      // what may be asked
  kWritePerson,  // how to reach staff
  kEmergency,    // {number}
  kThanks,
  kBye,
  kVisitingHours,  // heading
  kNoVisits,
  kDepartments,  // heading
  kDoctorsOf,    // heading {department}
  kDoctorsOn,    // heading {department} {day}
  kNoDoctorsOn,  // {department} {day}
  kNoDoctorNamed,
  kHours,          // label
  kWhere,          // label
  kPhone,          // label
  kFee,            // label
  kDeskHours,      // label
  kInsurers,       // heading
  kInsurerAbsent,  // ask when yours is not in it
  kCannotBook,
  kHowToBook,   // the desk makes appointments
  kAsNamed,     // see it in this list, no guess about the rest
  kStaff,       // offer
  kStaffPhone,  // offer {phone}
  kDeskOpen,    // {hours}
  kDeskClosed,  // {when} {number}
  kToday,       // {time}
  kTomorrow,    // {time}
  kOnDay,       // {day} {time}
  kUnknown,
  kNoFacts,
  kAdvice,
  kStoredIn,        // {language}
  kSource,          // {source}
  kLocalEmergency,  // stands for {number} when none is stored
  kCount,
};

using Values = std::vector<std::pair<std::string_view, std::string>>;

// The sentence in `language` (a BCP 47 tag; one that is not known reads English) with each {name} replaced.
std::string Say(Frame frame, std::string_view language, const Values& values = {});

// "English" or "inglés": the name of the language `tag` in `language`; the tag itself when it is not known.
std::string LanguageName(std::string_view tag, std::string_view language);

// Names of sources for people, in `language`: "visiting hours", "departments", "doctors", "settings", "faq".
std::string SourceName(std::string_view source, std::string_view language);

}  // namespace medidesk::assistant
