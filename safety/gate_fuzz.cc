#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "safety/gate.h"
#include "safety/language.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto gate = medidesk::safety::Gate::Make(medidesk::safety::EmbeddedTables());
  if (!gate.ok()) std::abort();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  medidesk::safety::GuessLanguage(text, gate->Screen(text).language);
  return 0;
}
