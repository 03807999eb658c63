// What a turn is answered with by rule, without any model: fixed texts with an effect.
//
//   an emergency that only the whole burst shows     the emergency text, takeover, urgent task
//   "wrong number", "I am not the patient"           one apology, takeover, task: nothing more is written
//   a complaint, an incident; a wish for a person    the hand-over text, takeover, task
//   about another person                             neither yes nor no
//   a result, a dose, an opinion                     no judgement; a task for staff
//   abuse                                            calm once; then takeover and a task
//   "ignore your rules", "list the patients"         who is speaking; the model is not asked
//   the same again and again, or answers within      takeover and a task: it is another machine
//   a second or two; too many answers an hour        (loop, rate_limit)
//
// Pure but for the clock that is passed in; thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "medidesk/store/v1/conversation.pb.h"
#include "safety/gate.h"
#include "safety/texts.h"

namespace medidesk::assistant {

struct RuleAnswer {
  std::string text;
  std::string outcome;          // metric label: gate, wrong_number, ...
  std::string task_reason;      // opens a staff task when not empty
  std::string takeover_reason;  // a person takes over when not empty
};

struct RuleLimits {
  int replies_an_hour = 30;  // automatic answers to one contact; 0: no limit
  int same_texts = 4;        // equal texts in a row that make a loop; 0: not looked at
  int quick_turns = 6;       // messages within `quick` of our answer, in a row, that make a loop; 0: not looked at
  std::chrono::milliseconds quick{2500};
};

// `verdict` is the gate's on the whole turn. `facts_know`: the hospital's facts hold an answer, so a clinical
// question is not refused ("do I fast before the lipid test?"). nullopt: the model, or the facts, may answer.
std::optional<RuleAnswer> AnswerByRule(const safety::Verdict& verdict, const store::v1::Turn& turn, bool facts_know,
                                       const safety::Texts& texts, const safety::SiteContacts& contacts,
                                       std::string_view language, const RuleLimits& limits,
                                       std::chrono::system_clock::time_point now);

}  // namespace medidesk::assistant
