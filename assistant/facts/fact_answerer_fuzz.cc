// Any message gets an answer.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "assistant/facts/fact_answerer.h"
#include "assistant/facts/testing/small_hospital.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto book = medidesk::assistant::FactBook::Make(medidesk::assistant::SmallHospital());
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto now = medidesk::assistant::At(2026, 11, 24, 12, 0);
  if (medidesk::assistant::AnswerFromFacts(*book, text, "en", now).text.empty()) std::abort();
  (void)book->Select(text, 500);
  return 0;
}
