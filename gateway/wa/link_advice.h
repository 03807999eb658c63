// What an operator is told to do when linking has failed: one line each.
#pragma once

#include <string_view>

#include "gateway/wa/session_action.h"

namespace medidesk::gateway::wa {

inline std::string_view LinkAdvice(LinkFailure reason) {
  switch (reason) {
    case LinkFailure::kExpired:
      return "Nobody scanned or typed the code in time. Start again with the phone at hand.";
    case LinkFailure::kOtherPhone:
      return "Another phone has answered than the one of this number; nothing was linked. Use the number's own phone.";
    case LinkFailure::kLinkedElsewhere:
      return "This WhatsApp account is linked under another number already. Unlink it there first.";
    case LinkFailure::kBadSignature:
      return "The phone's answer is not signed by its account. Somebody may be in between: check the network before "
             "trying again.";
    case LinkFailure::kUntrustedServer:
      return "The server could not prove that it is WhatsApp. Check the clock, proxies and WHATSAPP_ROOT_KEY.";
    case LinkFailure::kVersionRefused:
      return "WhatsApp refuses this client version. Update MediDesk, or set a newer client version.";
    case LinkFailure::kRateLimited:
      return "WhatsApp asks to slow down, or the account has too many linked devices. Wait, or remove a device on the "
             "phone.";
    case LinkFailure::kPasskey:
      return "The passkey step did not work: no valid assertion came in time, or WhatsApp refused it. Start again with "
             "a new QR code.";
    case LinkFailure::kPhoneSilent:
      return "The phone did not go on. Keep WhatsApp open on the phone and use a new QR code.";
    case LinkFailure::kCodeMismatch:
      return "The codes were not confirmed as equal. If they differed, somebody may be in between: check the network.";
    case LinkFailure::kDisconnected:
      return "The connection to WhatsApp broke. Start again.";
    case LinkFailure::kStore:
      return "The new keys could not be stored. See the store's health and MEDIDESK_MASTER_KEY, then start again.";
    case LinkFailure::kServer:
      return "WhatsApp refused to link this device. Try again later, by QR code.";
  }
  return "Linking failed. Start again.";
}

}  // namespace medidesk::gateway::wa
