// What a session tells of a link attempt, as the RPC says it.
#pragma once

#include <optional>

#include "gateway/wa/session_action.h"
#include "medidesk/gateway/v1/gateway.pb.h"

namespace medidesk::gateway {

// The event's part of a LinkNumberResponse; ids are the caller's to fill, and `linked.number`. nullopt for an event
// that is none of linking's.
std::optional<v1::LinkNumberResponse> ToLinkResponse(const wa::Event& event);

// The script for the console of web.whatsapp.com: asks the browser for the assertion and prints its JSON.
std::string PasskeyScript(const std::string& options_json);

}  // namespace medidesk::gateway
