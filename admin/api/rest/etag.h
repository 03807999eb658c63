// Entity tags (RFC 9110 section 8.8.3) for rows that carry an `etag` or a `revision`.
//
//   Conversation{etag:"771"}  <->  ETag: "771"        Faq{revision:12}  <->  ETag: "12"
//
// Pure functions.
#pragma once

#include <google/protobuf/message.h>

#include <optional>
#include <string>
#include <string_view>

namespace medidesk::admin::rest {

// The tag of the row in `field` of a response, with its quotes; empty when it has none.
std::string EtagOf(const google::protobuf::Message& response, std::string_view field);

struct IfMatch {
  enum class Kind { kAbsent, kAny, kOne, kMalformed };
  Kind kind = Kind::kAbsent;
  std::string tag = {};  // kOne: without its quotes
};
// One strong tag, or *. A weak tag and a list are kMalformed: the services compare with one version.
IfMatch ReadIfMatch(std::string_view header);

// Whether If-None-Match names `etag` (weak comparison, lists, *).
bool NoneMatchHolds(std::string_view header, std::string_view etag);

// Puts the tag where the request wants its version, a string or a revision above 0. False: no row can
// have this version.
bool SetVersion(google::protobuf::Message& request, std::string_view field, const std::string& tag);

}  // namespace medidesk::admin::rest
