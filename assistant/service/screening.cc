#include "assistant/service/screening.h"

#include "safety/fixed_reply.h"
#include "safety/language.h"

namespace medidesk::assistant {
namespace {

store::v1::FixedReplyKind KindOf(safety::FixedReply reply) {
  switch (reply) {
    case safety::FixedReply::kEmergency:
      return store::v1::FIXED_REPLY_KIND_EMERGENCY;
    case safety::FixedReply::kThreat:
      return store::v1::FIXED_REPLY_KIND_THREAT;
    case safety::FixedReply::kEmergencyLite:
      return store::v1::FIXED_REPLY_KIND_EMERGENCY_LITE;
    case safety::FixedReply::kHumanRequest:
      return store::v1::FIXED_REPLY_KIND_HUMAN_REQUEST;
    case safety::FixedReply::kOptOut:
      return store::v1::FIXED_REPLY_KIND_OPT_OUT;
    case safety::FixedReply::kNone:
      break;
  }
  return store::v1::FIXED_REPLY_KIND_UNSPECIFIED;
}

}  // namespace

Screening ScreenText(const safety::Gate& gate, const safety::Texts& texts, const safety::SiteContacts& contacts,
                     std::string_view text) {
  const safety::Verdict verdict = gate.Screen(text);
  Screening screening;
  screening.language = safety::GuessLanguage(text, verdict.language);
  screening.verdict.set_family(verdict.family);
  screening.verdict.set_severity(std::string(safety::Name(verdict.severity)));
  screening.verdict.set_rule_id(verdict.rule_id);
  screening.verdict.set_table_version(verdict.table_version);
  screening.verdict.set_language(screening.language);

  const safety::FixedReply fixed = safety::FixedReplyTo(verdict);
  if (fixed != safety::FixedReply::kNone) {
    screening.fixed_reply.set_kind(KindOf(fixed));
    screening.fixed_reply.set_text(safety::TextOf(fixed, verdict, texts, screening.language, contacts));
  }
  return screening;
}

}  // namespace medidesk::assistant
