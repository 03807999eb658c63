// Nodes as JSON, for tests that read or send stanzas.
//
//   {"tag":"iq","attrs":{"id":"7","to":"@s.whatsapp.net"},"children":[..]}     or "hex":"0a0b" or "text":"words"
//
// Texts that are an address at a known server become one. Byte content is given as hex, and as text beside it when it
// is printable ASCII; a node with both is read by its hex.
#pragma once

#include <boost/json/value.hpp>

#include "base/status.h"
#include "gateway/wa/node.h"

namespace medidesk::whatsapp_sim {

boost::json::value NodeToJson(const gateway::wa::Node& node);
// INVALID_ARGUMENT names what is wrong.
absl::StatusOr<gateway::wa::Node> NodeFromJson(const boost::json::value& value);

}  // namespace medidesk::whatsapp_sim
