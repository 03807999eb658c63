#include "base/finding.h"

#include <fmt/format.h>

namespace medidesk {
namespace {

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace

std::string_view Name(FindingLevel level) {
  switch (level) {
    case FindingLevel::kOk:
      return "ok";
    case FindingLevel::kSkipped:
      return "skipped";
    case FindingLevel::kWarning:
      return "warning";
    case FindingLevel::kError:
      return "error";
  }
  return "error";
}

std::string ToJson(const Finding& finding) {
  return fmt::format(R"({{"check":{},"level":{},"what":{},"cure":{}}})", Quoted(finding.check),
                     Quoted(Name(finding.level)), Quoted(finding.what), Quoted(finding.cure));
}

}  // namespace medidesk
