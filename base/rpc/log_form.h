// A protobuf message as one line for a log, keeping only the fields that its .proto marks
// SENSITIVITY_PUBLIC:
//
//   message={id="6f1c..." text=<redacted> detail={id="7" name=<redacted>}}
//
// An unmarked field is redacted, so a forgotten mark hides data instead of leaking it; a message field is
// entered only when it is itself public. Fields that are not set are left out. Nothing of unknown fields or of
// types that carry no marks (google.protobuf.Timestamp and Duration excepted) is shown.
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace medidesk::rpc {

// At most `max_bytes` bytes and a closing mark; strings are escaped and cut at 64 bytes.
std::string LogForm(const google::protobuf::Message& message, std::size_t max_bytes = 1024);

}  // namespace medidesk::rpc
