#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "assistant/claude/sse_parser.h"

using medidesk::assistant::claude::SseEvent;
using medidesk::assistant::claude::SseParser;

// The events must not depend on where the reads cut the bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto parse = [&](std::size_t step) {
    SseParser parser(4096);
    for (std::size_t at = 0; at < bytes.size() && parser.Feed(bytes.substr(at, step)).ok(); at += step) {
    }
    std::vector<SseEvent> events;
    while (auto event = parser.Next()) events.push_back(*std::move(event));
    return events;
  };
  if (parse(bytes.size() + 1) != parse(1 + data[0] % 16)) std::abort();
  return 0;
}
