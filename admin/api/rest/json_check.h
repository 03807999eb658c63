// Whether a JSON text fits a message of the contracts, field by field, before protobuf reads it.
//
// protobuf's own reader takes more than JSON (single quotes, bare keys), takes numbers for enums that
// nobody knows, and quotes the input in its errors. This check is strict (RFC 8259, UTF-8, bounded
// depth, no field twice, no NUL) and its errors name the field and what it must look like, and quote
// nothing: "faq.alternatives[2]: expected text".
//
// Pure functions; hostile bytes give an error, never an exception.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace medidesk::admin::rest {

inline constexpr std::size_t kMaxJsonDepth = 32;

// `at`: the path of the message in its request, for errors ("faq"; "" for the request itself).
// `refused`: dotted paths of fields, from the request's root, that count as unknown.
// Gives the names of the fields that the root object sets. INVALID_ARGUMENT with a BadRequest.
absl::StatusOr<std::vector<std::string>> CheckJson(std::string_view json, const google::protobuf::Descriptor& message,
                                                   std::string_view at, const std::vector<std::string_view>& refused);

}  // namespace medidesk::admin::rest
