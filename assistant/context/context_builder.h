// Turns a patient's turn and the hospital's facts into one request to the model.
//
//   system[0]  persona, rules and facts: byte for byte the same for every patient until the facts
//              change, marked for prompt caching
//   system[1]  this turn's: date and desk hours, language, retrieved facts when they do not all fit
//   messages   history inside its token budget, oldest first, then the turn's texts
//
// Pure: time is an argument. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "assistant/claude/messages.h"
#include "assistant/context/placeholders.h"
#include "assistant/facts/fact_book.h"
#include "medidesk/store/v1/conversation.pb.h"

namespace medidesk::assistant {

struct ContextOptions {
  int history_tokens = 3000;    // of history, newest first
  int facts_tokens = 30'000;    // all facts go into the stable prompt up to here; above, retrieval
  int retrieved_tokens = 4000;  // of retrieved facts then
  int max_answer_tokens = 700;
};

// Made once for each revision of the facts.
struct StablePrompt {
  std::shared_ptr<const FactBook> book;
  std::string text;
  int tokens = 0;                             // of `text`, estimated
  std::shared_ptr<const std::string> quoted;  // `text` for the request's JSON
  bool retrieval = false;                     // the facts are not all in `text`
  std::vector<std::string> numbers;           // digits of the phone numbers in the facts
};
// `style`: in place of the hospital's persona_style; empty: that one.
std::shared_ptr<const StablePrompt> MakeStablePrompt(std::shared_ptr<const FactBook> book,
                                                     const ContextOptions& options, const std::string& style = {});

struct TurnContext {
  std::string turn_prompt;
  claude::Request request;
  int estimated_tokens = 0;
};
// `language`: BCP 47 tag of the answer. The turn has at least one text. The patient's words are hidden by
// `placeholders`; null sends them as they are.
TurnContext BuildContext(const StablePrompt& stable, const store::v1::Turn& turn, std::string_view language,
                         std::chrono::system_clock::time_point now, const ContextOptions& options,
                         Placeholders* placeholders = nullptr);

// The rules that every prompt begins with; {names} in braces stand where a hospital's own are put.
std::string_view PromptRules();

// The turn's texts as one, a message a line.
std::string JoinedTexts(const store::v1::Turn& turn);

}  // namespace medidesk::assistant
