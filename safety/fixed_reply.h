// Which fixed text a verdict asks for, wherever the message came from.
#pragma once

#include <string>
#include <string_view>

#include "safety/gate.h"
#include "safety/texts.h"

namespace medidesk::safety {

// Ordered by urgency; kNone asks for none.
enum class FixedReply { kNone, kOptOut, kHumanRequest, kEmergencyLite, kThreat, kEmergency };

// The most urgent of what the verdict says.
FixedReply FixedReplyTo(const Verdict& verdict);

// Its text. Empty for kNone.
std::string TextOf(FixedReply reply, const Verdict& verdict, const Texts& texts, std::string_view language,
                   const SiteContacts& contacts);

}  // namespace medidesk::safety
