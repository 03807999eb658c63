// The fixed texts: what is sent when no model may or can speak. From tables/texts.txt.
//
//   const auto texts = Texts::Make(EmbeddedTexts());           // once, at start
//   texts->Emergency(verdict, GuessLanguage(text, verdict.language), contacts);
//   texts->Fixed(FixedKind::kApology, language, contacts);
//
// An unknown language gets English. Immutable and thread-safe after Make().
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "safety/gate.h"

namespace medidesk::safety {

// The site's numbers, for people to read. Empty: not set, its line is left out of the text.
struct SiteContacts {
  std::string emergency_number;   // "112"; empty: the text says "your local emergency number"
  std::string crisis_line;        // "14416"
  std::string emergency_address;  // where to come
  std::string emergency_phone;
  std::string next_open = {};      // "Monday 08:00" while the desk is closed, else empty
  std::string reply_minutes = {};  // how long staff usually take to answer; empty: not promised
  // False when nobody could be told: lines that say so are left out.
  bool staff_told = true;
};

enum class FixedKind {
  kEmergency,
  kCrisis,      // self-harm: crisis line first
  kDiscreet,    // violence: says nothing that a reader beside the patient may use
  kLite,        // perhaps an emergency
  kApology,     // no answer can be made; staff will follow up
  kHandover,    // a person takes over
  kOptOut,      // no more proactive messages
  kStale,       // the message was read too late
  kCannotRead,  // voice, picture, file
  kDisclosure,  // first contact: this is a machine
  kClosed,      // nobody at the desk now
  kCalm,        // to abuse, once; never argues
  kWrongNumber,
  kClinical,  // a result, a dose, an opinion: not for a machine
  kPrivate,   // about a third person: neither yes nor no
};

class Texts {
 public:
  // INVALID_ARGUMENT naming file and line; every kind must be there in English.
  static absl::StatusOr<Texts> Make(TableSource source);

  // The text for an emergency or lite verdict, by its family. Empty for severity none.
  std::string Emergency(const Verdict& verdict, std::string_view language, const SiteContacts& contacts) const;
  std::string Fixed(FixedKind kind, std::string_view language, const SiteContacts& contacts) const;
  // The two kinds that name no number; the others say "your local emergency number" without contacts.
  std::string Fixed(FixedKind kind, std::string_view language) const { return Fixed(kind, language, {}); }

  bool Has(FixedKind kind, std::string_view language) const;
  // Names of the blocks that no clinician of the site approved, "emergency en".
  std::vector<std::string> Unapproved() const;

 private:
  struct Block {
    std::vector<std::string> lines;
    std::string approved_by, approved_on;
  };
  const Block& Find(std::string_view kind, std::string_view language) const;

  std::map<std::pair<std::string, std::string>, Block> blocks_;  // by (kind, language)
};

}  // namespace medidesk::safety
