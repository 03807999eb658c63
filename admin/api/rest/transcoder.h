// Between HTTP and the contracts: a path, a query and a JSON body make the request of an RPC, and its
// response becomes JSON.
//
//   PUT /v1/knowledge/faqs/parking          {"question":"...","answer":"...",...}
//     -> UpdateFaqRequest{faq{key:"parking" question:"..." answer:"..."}}
//   GET /v1/tasks?states=TASK_STATE_OPEN&createTimeRange.startTime=2026-01-01T00:00:00Z&pageSize=20
//     -> ListTasksRequest{states:[OPEN] create_time_range{start_time{...}} page_size:20}
//
// Names are taken as JSON has them (pageSize) and as the contracts have them (page_size). Everything
// that is not understood is refused: unknown fields, enums, parameters, a parameter given twice.
//
// Pure functions; hostile bytes give INVALID_ARGUMENT with a BadRequest that quotes nothing.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <string_view>

#include "admin/api/rest/route_table.h"
#include "base/status.h"

namespace medidesk::admin::rest {

inline constexpr std::size_t kMaxParameters = 64;

// A new, empty message of a generated type.
std::unique_ptr<google::protobuf::Message> NewMessage(const google::protobuf::Descriptor& type);

// What the caller of `route` asks for, without what the server fills in.
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ReadRequest(const Route& route, const Captures& captures,
                                                                       std::string_view query, std::string_view body);

// Proto3 JSON in one line: lower camel case, empty fields included. INTERNAL when it cannot be written.
absl::StatusOr<std::string> WriteJson(const google::protobuf::Message& message);

// The message that `path` leads to, made on the way where it is absent, and the last field's descriptor.
// The path must exist and lead through single messages only.
std::pair<google::protobuf::Message*, const google::protobuf::FieldDescriptor*> Reach(
    google::protobuf::Message& message, std::string_view path);

// All strings that `path` leads to, through lists too; "conversations.id" of a page.
std::vector<std::string> Collect(const google::protobuf::Message& message, std::string_view path);

}  // namespace medidesk::admin::rest
