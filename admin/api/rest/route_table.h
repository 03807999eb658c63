// Which call of which service a method and path of /v1 stands for. One row makes one operation: the
// handler obeys it and the OpenAPI document describes it.
//
//   GET /v1/conversations/{conversation_id} -> medidesk.store.v1.ConversationService.GetConversation
//
// A path is segments of literals and of {field.path} variables, which take one segment each; the last
// one may end in a ":verb". Values are percent-decoded.
//
// Immutable after Routes() was first called; thread-safe.
#pragma once

#include <google/protobuf/descriptor.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace medidesk::admin::rest {

// What a bearer token must hold; kAdmin opens everything.
enum class Scope { kReply, kScreen, kPreview, kSend, kRead, kAdmin };
// "reply", "screen", ...
std::string_view ScopeName(Scope scope);

// Who of staff may call an operation through the dashboard; a higher role may too.
enum class DeskRole { kNobody, kViewer, kAgent, kAdmin };

enum class Answer {
  kMessage,   // the response as JSON
  kMessages,  // a stream of responses: server-sent events, or one JSON object a line
  kDocument,  // a stream of `bytes chunk`s that together are one JSON document
  kTable,     // a stream of `string csv`s that together are one CSV file
};

struct Route {
  std::string_view method;  // GET, POST, PUT, PATCH or DELETE
  std::string_view path;
  std::string_view rpc;  // full name of the method
  Scope scope = Scope::kAdmin;
  DeskRole desk = DeskRole::kAdmin;  // of itself: viewer for what needs `read`, agent for `send`, nobody for `reply`
  std::string_view tag;              // heading in the document
  // The field that the body is; "*": the whole request; "": no body. What neither path nor body binds
  // is taken from the query.
  std::string_view body;
  Answer answer = Answer::kMessage;
  int success = 200;
  // Fields that the caller may not set: the server fills them, or they are for other callers.
  std::vector<std::string_view> hidden;
  // The request's field that If-Match fills; "": If-Match is refused.
  std::string_view if_match;
  // The response's field whose `etag` or `revision` becomes the ETag; "": none.
  std::string_view etag;
  // PATCH: the request's FieldMask, made from the body's keys when the query does not give it.
  std::string_view mask;
  // Where the ids of the conversations shown stand, in the response or else in the request. Their
  // reading is recorded before the answer leaves. "": nothing is shown, or the service records it.
  std::string_view audit;
  // A stream that goes on until one side leaves.
  bool endless = false;
  // Set by Routes().
  const google::protobuf::MethodDescriptor* call = nullptr;
};

// All rows, checked against the contracts: a row that names what does not exist ends the process.
std::span<const Route> Routes();

// Values of a path's variables, decoded, by field path.
using Captures = std::vector<std::pair<std::string_view, std::string>>;

struct RouteMatch {
  const Route* route = nullptr;  // null: no row has this path and method
  Captures captures = {};
  // The methods that the path takes, "GET, HEAD, OPTIONS"; empty: there is no such path.
  std::string allow = {};
};

// HEAD is answered by the row of GET. `path` is as sent, without the query.
RouteMatch FindRoute(std::string_view method, std::string_view path);

// The descriptor of a dotted path of fields; null when there is none.
const google::protobuf::FieldDescriptor* FindField(const google::protobuf::Descriptor& message, std::string_view path);

// Decodes %XX; with `form` also + as a space. False for a malformed escape, or for bytes that are no
// UTF-8 text or hold a NUL.
bool PercentDecode(std::string_view text, bool form, std::string& out);

}  // namespace medidesk::admin::rest
