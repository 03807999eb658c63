// The gate's tables: text files compiled into the binary, parsed once at start.
//
// rules.txt says what is an emergency, in concepts and for all languages at once:
//
//   version 1
//   measure young_infant week 0 13            # a number from 0 to 13 beside a word of concept `week`
//   reading fever_reading 38 43               # a bare number in this range
//   rule chest_pain.pressure emergency window=7 : chest + pain/pressure
//
// A language file says how people write a concept:
//
//   language en
//   chest: chest | breast bone | heart*
//   numeral 6: six
//
// The head of rules.txt explains every word of both. Errors are INVALID_ARGUMENT and begin with
// "file:line: ".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace medidesk::safety {

struct TableSource {
  std::string_view name;  // as in error messages, "tables/en.txt"
  std::string_view content;
};

using ConceptId = std::uint16_t;
using LanguageId = std::uint8_t;

// Concepts the engine itself knows; every other one is made by a rule that names it.
enum Guard : ConceptId {
  kNegation,       // "no", "do not have": before what it denies
  kNegationAfter,  // Hindi "nahi": after what it denies
  kFiller,         // words that may stand between a negation and what it denies
  kOr,             // joins what one negation denies: "no fever or chest pain"
  kPast,
  kNow,
  kResolved,
  kInfo,      // asks about a thing: "symptoms of", "price of"
  kIgnore,    // idioms and other harmless phrases: their words mean nothing
  kPolite,    // what may surround a one-word command: "please", "ok"
  kKnown,     // ordinary words that are not misspelt others
  kSkip,      // light words that may stand inside a term: "making (any) sense"
  kSufferer,  // somebody has it: "i have", "my son is"; a question about a thing has nobody
  kGuards,
};

// The first two are red flags, the others are what a message wants or is; a message may be several.
enum class Outcome : std::uint8_t {
  kLite,
  kEmergency,
  kHumanRequest,
  kOptOut,
  kThreat,
  kAbuse,         // insults, sexual remarks
  kInjection,     // "ignore your rules", "list all patients"
  kComplaint,     // incidents, bills, lost reports
  kClinical,      // wants a result read, a dose, an opinion: not for a machine
  kWrongNumber,   // is not the patient we write to
  kAboutOther,    // asks whether or how a named third person is here
  kAsksIdentity,  // "are you a bot?"
  kBooking,
  kQuestion,  // asks for a fact
  kOutcomes,
};

struct TermWord {
  std::string text;    // normalised
  bool stem = false;   // written "word*": any ending
  bool exact = false;  // written "word!": no misspelling
};

struct Term {
  std::vector<TermWord> words;
  ConceptId concept_id = 0;
  LanguageId language = 0;
};

struct Slot {
  std::vector<ConceptId> concepts;  // any of them
  bool after_previous = false;      // written ">": follows the slot before
};

struct Rule {
  std::string id;      // "chest_pain.pressure"
  std::string family;  // "chest_pain"
  Outcome outcome = Outcome::kLite;
  int window = 8;      // words from the first slot's start to the last slot's end
  bool firm = false;   // guards lower it to lite, never to nothing
  bool whole = false;  // the message is nothing else, but for polite words
  std::vector<ConceptId> unless;
  std::vector<Slot> slots;
};

struct Measure {
  ConceptId concept_id = 0;
  ConceptId unit = 0;
  bool bare = false;  // a reading: no unit
  double min = 0, max = 0;
};

struct Tables {
  std::string version;                 // "1.0b2c4d6e8f01": the declared version and a hash of all contents
  std::vector<std::string> concepts;   // by ConceptId
  std::vector<std::string> languages;  // by LanguageId, BCP 47
  std::vector<Term> terms;
  std::vector<Rule> rules;  // in the order of the file: the first emergency names the family
  std::vector<Measure> measures;
  std::vector<std::pair<std::string, double>> numerals;  // normalised word, value

  // The language with this tag, if it has a table.
  std::optional<LanguageId> Language(std::string_view tag) const;
};

// The file named rules.txt first, in any position of `sources`.
absl::StatusOr<Tables> ParseTables(std::span<const TableSource> sources);

// safety/tables/*.txt as they were at build time, texts.txt left out.
std::span<const TableSource> EmbeddedTables();
// safety/tables/texts.txt.
TableSource EmbeddedTexts();

}  // namespace medidesk::safety
