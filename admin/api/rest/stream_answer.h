// Answers whose body is made from an RPC's stream while it is sent.
#pragma once

#include <memory>
#include <string_view>

#include "admin/api/rest/rpc_backend.h"
#include "admin/http/response.h"

namespace medidesk::admin::rest {

// Each message as it comes:
//
//   {"textDelta":"We open "}                       application/x-ndjson: one object a line
//   event: textDelta\ndata: {"textDelta":"..."}    text/event-stream, where `accept` names it; the event
//                                                  is the name of the field that is set
//
// A stream that fails later ends with {"error":<google.rpc.Status>}, or an event `error`. `first` may be
// null: an empty stream.
http::Response MessagesAnswer(std::unique_ptr<MessageStream> stream, MessagePtr first, std::string_view accept);

// The `bytes chunk` of each message, one after the other: a JSON document. One that fails is cut off
// without its end, so that it cannot be taken for whole.
http::Response DocumentAnswer(std::unique_ptr<MessageStream> stream, MessagePtr first);
// The `string csv` of each message, likewise: a table to download.
http::Response TableAnswer(std::unique_ptr<MessageStream> stream, MessagePtr first);

}  // namespace medidesk::admin::rest
