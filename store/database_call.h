// Calls the database's functions that answer an RPC by themselves (store/migrations/0006_*.sql):
//
//   medidesk.get_task(request, trace_id)   proto3 JSON in; {"task": {...}} or
//   {"error": {"code": "NOT_FOUND", "message": "no such task", "reason": ""}} out
//
// Each is one statement in autocommit, and safe to repeat: writes carry a commit_id.
#pragma once

#include <google/protobuf/message.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/rpc/call.h"
#include "store/db_pool.h"

namespace medidesk::store {

// The request as JSON with proto field names; strings are made storable (clean_text.h), times must be in range.
// Empty fields are left out. A caller with a token acts as that token, whatever the request's `actor` says.
absl::StatusOr<std::string> RequestToJson(const rpc::Call& call, const google::protobuf::Message& request);

// The answer into `response`, or the refusal as its status. INTERNAL for what is neither.
absl::Status ReadAnswer(std::string_view json, google::protobuf::Message* response);

// `query` takes the JSON as $1 and the trace id as $2 and gives one JSON value.
template <class Response>
asio::awaitable<absl::StatusOr<Response>> CallDatabase(DbPool& pool, const Query& query,
                                                       DbPool::Clock::time_point deadline, std::string request_json,
                                                       std::string trace_id) {
  const std::function<std::string(DbConnection&)> work = [&](DbConnection& connection) {
    return ExecutePrepared(connection, query, request_json, trace_id).at(0)[0].as<std::string>();
  };
  MD_ASSIGN_OR_CO_RETURN(const std::string answer, co_await pool.Run(query, deadline, work));
  Response response;
  MD_CO_RETURN_IF_ERROR(ReadAnswer(answer, &response));
  co_return response;
}

// A function of that shape: MD_FUNCTION("get_task").
#define MD_FUNCTION(name) \
  ::medidesk::store::Query { name, "select medidesk." name "($1::jsonb, $2)::text" }

}  // namespace medidesk::store
