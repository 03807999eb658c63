// Text that PostgreSQL takes: valid UTF-8 without NUL, bounded. A message that cannot be stored
// would block WhatsApp's queue, so nothing is refused: what is wrong is replaced.
#pragma once

#include <string>
#include <string_view>

namespace medidesk::store {

inline constexpr std::size_t kMaxTextBytes = 65'536;

// Replaces each invalid sequence and each NUL by U+FFFD; cuts after `max_bytes` at the end of a
// code point and then ends with "…" (which counts).
std::string CleanText(std::string_view text, std::size_t max_bytes = kMaxTextBytes);

}  // namespace medidesk::store
