#include "assistant/service/screening.h"

#include "safety/language.h"

namespace medidesk::assistant {

Screening ScreenText(const safety::Gate& gate, const safety::Texts& texts, const safety::SiteContacts& contacts,
                     std::string_view text) {
  using safety::FixedKind;
  const safety::Verdict verdict = gate.Screen(text);
  Screening screening;
  screening.language = safety::GuessLanguage(text, verdict.language);
  screening.verdict.set_family(verdict.family);
  screening.verdict.set_severity(std::string(safety::Name(verdict.severity)));
  screening.verdict.set_rule_id(verdict.rule_id);
  screening.verdict.set_table_version(verdict.table_version);
  screening.verdict.set_language(screening.language);

  const auto set = [&](store::v1::FixedReplyKind kind, std::string fixed) {
    screening.fixed_reply.set_kind(kind);
    screening.fixed_reply.set_text(std::move(fixed));
  };
  if (verdict.severity == safety::Severity::kEmergency) {
    set(store::v1::FIXED_REPLY_KIND_EMERGENCY, texts.Emergency(verdict, screening.language, contacts));
  } else if (verdict.threat) {
    set(store::v1::FIXED_REPLY_KIND_THREAT, texts.Fixed(FixedKind::kHandover, screening.language, contacts));
  } else if (verdict.severity == safety::Severity::kLite) {
    set(store::v1::FIXED_REPLY_KIND_EMERGENCY_LITE, texts.Emergency(verdict, screening.language, contacts));
  } else if (verdict.human_request) {
    set(store::v1::FIXED_REPLY_KIND_HUMAN_REQUEST, texts.Fixed(FixedKind::kHandover, screening.language, contacts));
  } else if (verdict.opt_out) {
    set(store::v1::FIXED_REPLY_KIND_OPT_OUT, texts.Fixed(FixedKind::kOptOut, screening.language, contacts));
  }
  return screening;
}

}  // namespace medidesk::assistant
