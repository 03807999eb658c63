// A set of labelled messages: JSON lines.
//
//   {"id":"en-014","text":"my chest feels tight","lang":"en","class":"emergency","gate":true}
//   {"id":"en-015","burst":["cant","breathe"],"lang":"en","class":"emergency","gate":true,"family":"breathing"}
//   {"id":"en-201","text":"price of chest x ray?","lang":"en","class":"faq","gate":false,"near_miss":true}
//
// `gate` may also be a word ("emergency", "lite", "none", "fire", "pass", "yes", "no") or be missing, like
// `class`, `family` and `near_miss`; unknown members are ignored.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace medidesk::safety {

struct EvalMessage {
  std::string id;
  std::vector<std::string> burst;  // one or more
  std::string language = "und";
  std::string label;         // "class"; empty: not labelled
  std::optional<bool> gate;  // must it fire?
  std::string gate_word;     // as it stood in the set, when it was a word
  std::string family;
  bool near_miss = false;
  bool held_out = false;  // by a hash of the text: about 30 %
};

// INVALID_ARGUMENT with the line's number for anything else than one JSON object a line.
absl::StatusOr<std::vector<EvalMessage>> ParseEvalSet(std::string_view jsonl);

// The line of predictions for this message, without a line break: {"id":...,"gate":...,"class":...}.
// `gate` is written in the form that the set uses.
std::string PredictionLine(const EvalMessage& message, std::string_view severity, std::string_view label);

}  // namespace medidesk::safety
