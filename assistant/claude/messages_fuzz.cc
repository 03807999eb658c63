#include <cstddef>
#include <cstdint>
#include <string_view>

#include "assistant/claude/messages.h"
#include "assistant/claude/model_probe.h"

namespace claude = medidesk::assistant::claude;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(claude::ParseResponse(bytes).ok());
  static_cast<void>(claude::ParseError(bytes));
  static_cast<void>(claude::ParseModelInfo(bytes).ok());
  return 0;
}
