// What a model's text must pass before a patient may see it (safety rules 9-11, 24, 25): it claims no
// action that no tool did, names no dose, gives no diagnosis or reassurance, links only to allowed
// hosts, names no phone number that is neither the hospital's nor the patient's, leaks no prompt or internal
// id, and is not empty, without words, no UTF-8, or too long. Whether it is in the patient's language is
// the caller's to see (safety/language.h).
//
// Deterministic, without I/O; any bytes are safe. Phrases are data: check_phrases.cc.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace medidesk::assistant {

struct CheckContext {
  std::vector<std::string> allowed_link_hosts;   // "sunrise.example"; their subdomains pass, too
  std::vector<std::string> allowed_email_hosts;  // of e-mail addresses, likewise; link hosts pass, too
  bool action_done = false;                      // a tool succeeded in this turn
  std::size_t max_chars = 4096;                  // code points
  // Digits of the numbers that may be named, 7 digits and more; null: numbers are not looked at.
  const std::vector<std::string>* known_numbers = nullptr;
  // InstructionRuns() of what the model is told; null: not looked at.
  const std::unordered_set<std::size_t>* instructions = nullptr;
};

struct CheckResult {
  bool passed = false;
  std::string rule;  // what stopped it: empty, length, claimed_action, dose, diagnosis, link, leak, number
  std::string text;  // to be sent: trimmed, Markdown turned into WhatsApp's formatting
};

// For CheckContext::instructions: ten words of these in a row are a leak. Make it once.
std::unordered_set<std::size_t> InstructionRuns(std::string_view instructions);

// What the model is told when its draft broke this rule, for one more try.
std::string_view Correction(std::string_view rule);

// Thread-safe.
CheckResult CheckReply(std::string_view text, const CheckContext& context);

// **bold**, # headings, [text](url), `code` and table bars as WhatsApp shows them.
std::string ToWhatsAppText(std::string_view markdown);

}  // namespace medidesk::assistant
