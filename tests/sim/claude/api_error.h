// The error answer of the Messages API.
//
//   {"type":"error","error":{"type":"rate_limit_error","message":"..","details":{..}},"request_id":"req_.."}
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace medidesk::claude_stub {

struct ApiError {
  int status = 400;
  std::string type{};  // empty: TypeOf(status)
  std::string message{};
  boost::json::value details{};  // null: left out
};

// The error type the API uses with an HTTP status; api_error where it has none.
std::string_view TypeOf(int status);

std::string ErrorBody(const ApiError& error, std::string_view request_id);

}  // namespace medidesk::claude_stub
