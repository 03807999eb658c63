// Any text is judged; what passes is within its bounds; sentences do not depend on how a text is cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "assistant/checks/output_checks.h"
#include "assistant/checks/sentence_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace medidesk::assistant;
  if (size == 0) return 0;
  const std::size_t piece = data[0] + std::size_t{1};
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  CheckContext context;
  context.allowed_link_hosts = {"www.sunrise.example"};
  const CheckResult result = CheckReply(text, context);
  if (result.passed != result.rule.empty() || (result.passed && result.text.empty())) std::abort();
  if (result.passed && result.text.size() > 4 * context.max_chars) std::abort();

  SentenceStream whole, cut;
  std::string one, other;
  for (const std::string& sentence : whole.Feed(text)) one += sentence + '\0';
  for (const std::string& sentence : whole.Flush()) one += sentence + '\0';
  for (std::size_t at = 0; at < text.size(); at += piece) {
    for (const std::string& sentence : cut.Feed(text.substr(at, piece))) other += sentence + '\0';
  }
  for (const std::string& sentence : cut.Flush()) other += sentence + '\0';
  if (text.size() <= SentenceStream::kMaxBytes && one != other) std::abort();
  return 0;
}
