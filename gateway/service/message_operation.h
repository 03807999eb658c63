// What a message and its verdict are called in the store's operations, and in metrics.
#pragma once

#include <string>

#include "gateway/wa/messages/message_action.h"
#include "medidesk/store/v1/operation.pb.h"
#include "safety/fixed_reply.h"
#include "safety/gate.h"

namespace medidesk::gateway {

// `language`: BCP 47.
void SetVerdict(const safety::Verdict& verdict, const std::string& language, store::v1::Verdict* out);
// `phone`, `lid`: digits, may be empty.
void SetContact(const std::string& phone, const std::string& lid, const std::string& name,
                store::v1::PhoneContact* contact);
const char* KindName(wa::InboundKind kind);
store::v1::FixedReplyKind KindOf(safety::FixedReply reply);

}  // namespace medidesk::gateway
