// The texts of answers as WhatsApp shows them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace medidesk::gateway::wa {

inline constexpr std::size_t kMaxPartCharacters = 4'096;
inline constexpr std::size_t kMaxParts = 3;

// Markdown as WhatsApp writes it:
//
//   **bold**, __bold__, # Heading  ->  *bold*, *Heading*       * point, + point  ->  - point
//   *italic*                       ->  _italic_                [text](url)       ->  text (url)
//   ~~gone~~                       ->  ~gone~                  ```lang           ->  ```
//
// Anything else, WhatsApp's own marks included, stays. Takes and gives UTF-8.
std::string WhatsAppTextOf(std::string_view markdown);

// `text` in at most kMaxParts parts of at most kMaxPartCharacters characters (code points), cut at the end of a
// paragraph, a sentence, a line or a word, whichever comes late enough; what does not fit ends in an ellipsis. The same
// text gives the same parts. Never empty: an empty text is one empty part.
std::vector<std::string> SplitText(std::string_view text);

}  // namespace medidesk::gateway::wa
