// The stub's `facts` mode: an answer a demo can show without a model.
//
// It repeats the lines of the system text that share most words with the user's text, rare words
// counting more, at most three of them; it understands nothing. Where the system text has a heading
// or tag with the word "facts" or "knowledge" (`<facts>`, `# Facts`, `Facts:`), only what follows is
// looked at, up to the closing tag. A line `Q: ..` and the line `A: ..` after it count as one, and
// only the answer is repeated.
#pragma once

#include <string>
#include <string_view>

namespace medidesk::claude_stub {

std::string AnswerFromFacts(std::string_view system_text, std::string_view user_text);

// What it says when no line shares a word.
inline constexpr std::string_view kNoFact =
    "I could not find that in the hospital's information. The front desk can help you.";

}  // namespace medidesk::claude_stub
