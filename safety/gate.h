// The red-flag gate: reads every inbound text before any model and says whether it is an emergency,
// and whether the patient wants a person, wants no more messages, or threatens somebody.
//
//   const auto gate = Gate::Make(EmbeddedTables());          // once, at start
//   const Verdict verdict = gate->Screen("cant breth properly lips going blue");
//   // severity kEmergency, family "breathing", rule_id "breathing.cannot", language "en"
//
// Deterministic, in-process, without network, files or clock. The same gate reads a single message
// and the joined text of a burst (one message a line). Any bytes are safe; time and memory are
// linear in the text, which is read up to kMaxBytes.
//
// Immutable and thread-safe after Make().
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "safety/table.h"

namespace medidesk::safety {

enum class Severity { kNone, kLite, kEmergency };

// "none", "lite", "emergency": as the store keeps it.
std::string_view Name(Severity severity);

struct Verdict {
  // kLite: perhaps; the patient gets the number and the staff a task, and is answered.
  Severity severity = Severity::kNone;
  // Closed set, see rules.txt: chest_pain, breathing, stroke, bleeding, unconscious, seizure,
  // anaphylaxis, overdose, self_harm, violence, pregnancy, baby_fever, ... Empty when nothing was found.
  std::string family;
  // The rule that decided: of the emergency, else of the intent. Empty when none did.
  std::string rule_id;
  std::string table_version;
  // BCP 47 tag of the words that decided, "hi-Latn"; empty when none did. GuessLanguage() is better
  // for choosing the answer's language; this is its fallback.
  std::string language;

  // Not emergencies; each may stand beside one, and the emergency goes first.
  bool human_request = false;  // a person instead of the bot; not: a doctor, an appointment
  bool opt_out = false;        // no more proactive messages; not: cancel my appointment
  bool threat = false;         // violence against staff or the place

  std::uint32_t intents = 0;  // bits by Outcome, the three above among them; none of a red flag's

  bool Has(Outcome intent) const { return (intents >> static_cast<unsigned>(intent) & 1) != 0; }
  bool emergency() const { return severity == Severity::kEmergency; }
  bool quiet() const { return severity == Severity::kNone && !human_request && !opt_out && !threat; }
};

// What kind of message it is, for reports and the evaluation: emergency, abuse, opt-out, human, booking,
// faq or other. A guess by rules; nothing but statistics depends on it.
std::string_view ClassOf(const Verdict& verdict);

class Gate {
 public:
  static constexpr std::size_t kMaxBytes = 65'536;

  // INVALID_ARGUMENT naming file and line when a table is wrong.
  static absl::StatusOr<Gate> Make(std::span<const TableSource> tables);

  Gate(Gate&&) noexcept;
  Gate& operator=(Gate&&) noexcept;
  ~Gate();

  Verdict Screen(std::string_view text) const { return Screen(text, {}); }
  // As if the tables had not the rule of this id: for the test that every rule is needed.
  Verdict Screen(std::string_view text, std::string_view without_rule) const;
  // Messages sent one after the other, in order: what is split over them is found, too.
  Verdict ScreenBurst(std::span<const std::string> messages) const;
  // The concepts that were found in a text, in order, guards among them: for whoever mends a table.
  struct Found {
    std::string concept_name, words;  // "es:chest"
  };
  std::vector<Found> Explain(std::string_view text) const;
  const std::string& table_version() const;
  // The parsed tables, for tests and reports.
  const Tables& tables() const;

 private:
  struct State;
  explicit Gate(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

}  // namespace medidesk::safety
