#include "safety/fixed_reply.h"

namespace medidesk::safety {

FixedReply FixedReplyTo(const Verdict& verdict) {
  if (verdict.severity == Severity::kEmergency) return FixedReply::kEmergency;
  if (verdict.threat) return FixedReply::kThreat;
  if (verdict.severity == Severity::kLite) return FixedReply::kEmergencyLite;
  if (verdict.human_request) return FixedReply::kHumanRequest;
  if (verdict.opt_out) return FixedReply::kOptOut;
  return FixedReply::kNone;
}

std::string TextOf(FixedReply reply, const Verdict& verdict, const Texts& texts, std::string_view language,
                   const SiteContacts& contacts) {
  switch (reply) {
    case FixedReply::kEmergency:
    case FixedReply::kEmergencyLite:
      return texts.Emergency(verdict, language, contacts);
    case FixedReply::kThreat:
    case FixedReply::kHumanRequest:
      return texts.Fixed(FixedKind::kHandover, language, contacts);
    case FixedReply::kOptOut:
      return texts.Fixed(FixedKind::kOptOut, language, contacts);
    case FixedReply::kNone:
      break;
  }
  return "";
}

}  // namespace medidesk::safety
