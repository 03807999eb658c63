// From the gate's verdict to what the store is told: the verdict of the contract and, when one is
// due, the fixed text in the patient's language.
#pragma once

#include <string>
#include <string_view>

#include "medidesk/store/v1/conversation.pb.h"
#include "safety/gate.h"
#include "safety/texts.h"

namespace medidesk::assistant {

struct Screening {
  store::v1::Verdict verdict;
  store::v1::FixedReply fixed_reply;  // kind UNSPECIFIED: none
  std::string language;               // BCP 47

  bool fixed() const { return fixed_reply.kind() != store::v1::FIXED_REPLY_KIND_UNSPECIFIED; }
  bool emergency() const { return fixed_reply.kind() == store::v1::FIXED_REPLY_KIND_EMERGENCY; }
};

// Order: emergency, threat, perhaps an emergency, wish for a person, opt-out. Thread-safe.
Screening ScreenText(const safety::Gate& gate, const safety::Texts& texts, const safety::SiteContacts& contacts,
                     std::string_view text);

}  // namespace medidesk::assistant
