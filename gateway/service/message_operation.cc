#include "gateway/service/message_operation.h"

namespace medidesk::gateway {

namespace v1 = store::v1;

void SetVerdict(const safety::Verdict& verdict, const std::string& language, v1::Verdict* out) {
  out->set_family(verdict.family);
  out->set_severity(std::string(safety::Name(verdict.severity)));
  out->set_rule_id(verdict.rule_id);
  out->set_table_version(verdict.table_version);
  out->set_language(language);
}

void SetContact(const std::string& phone, const std::string& lid, const std::string& name, v1::PhoneContact* contact) {
  if (!phone.empty()) contact->set_phone("+" + phone);
  contact->set_lid(lid);
  contact->set_display_name(name);
}

const char* KindName(wa::InboundKind kind) {
  switch (kind) {
    case wa::InboundKind::kText:
      return "text";
    case wa::InboundKind::kUnreadable:
      return "unreadable";
    case wa::InboundKind::kEdit:
      return "edit";
    case wa::InboundKind::kDeletion:
      return "deletion";
    case wa::InboundKind::kReaction:
      return "reaction";
    case wa::InboundKind::kUndecryptable:
      return "undecryptable";
  }
  return "text";
}

v1::FixedReplyKind KindOf(safety::FixedReply reply) {
  switch (reply) {
    case safety::FixedReply::kEmergency:
      return v1::FIXED_REPLY_KIND_EMERGENCY;
    case safety::FixedReply::kThreat:
      return v1::FIXED_REPLY_KIND_THREAT;
    case safety::FixedReply::kEmergencyLite:
      return v1::FIXED_REPLY_KIND_EMERGENCY_LITE;
    case safety::FixedReply::kHumanRequest:
      return v1::FIXED_REPLY_KIND_HUMAN_REQUEST;
    case safety::FixedReply::kOptOut:
      return v1::FIXED_REPLY_KIND_OPT_OUT;
    case safety::FixedReply::kNone:
      break;
  }
  return v1::FIXED_REPLY_KIND_UNSPECIFIED;
}

}  // namespace medidesk::gateway
