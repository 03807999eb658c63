#include "assistant/self_check.h"

#include <fmt/format.h>

#include <chrono>

#include "assistant/claude/account_check.h"
#include "safety/table.h"
#include "safety/texts.h"

namespace medidesk::assistant {

std::vector<Finding> CheckAssistant(const AssistantConfig& config) {
  std::vector<Finding> findings;
  if (config.anthropic_api_key.empty()) {
    findings.push_back({FindingLevel::kSkipped, "claude", "no key: answers come from the stored facts alone",
                        "put a key into ANTHROPIC_API_KEY for answers by Claude"});
  } else {
    claude::ClientOptions options;
    options.api_key = claude::ApiKey(config.anthropic_api_key);
    options.base_url = config.anthropic_base_url;
    options.ca_file = config.anthropic_ca_file;
    options.model = config.model;
    options.fallback_model = config.fallback_model;
    findings = claude::CheckAccount(options, std::chrono::seconds(5));
  }

  const auto texts = safety::Texts::Make(safety::EmbeddedTexts());
  if (!texts.ok()) {
    findings.push_back({FindingLevel::kError, "emergency texts", "this build's emergency texts cannot be read",
                        "build again from an unchanged safety/tables/texts.txt"});
  } else if (const auto unapproved = texts->Unapproved(); !unapproved.empty()) {
    findings.push_back({FindingLevel::kWarning, "emergency texts",
                        fmt::format("{} fixed texts are not approved by your clinicians", unapproved.size()),
                        "let clinicians read safety/tables/texts.txt, write approved_by and approved_on, build again"});
  } else {
    findings.push_back({FindingLevel::kOk, "emergency texts", "approved by clinicians", ""});
  }
  return findings;
}

}  // namespace medidesk::assistant
