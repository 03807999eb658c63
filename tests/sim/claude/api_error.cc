#include "tests/sim/claude/api_error.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace medidesk::claude_stub {

namespace json = boost::json;

std::string_view TypeOf(int status) {
  switch (status) {
    case 400:
    case 422:
      return "invalid_request_error";
    case 401:
      return "authentication_error";
    case 402:
      return "billing_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 409:
      return "conflict_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 504:
      return "timeout_error";
    case 529:
      return "overloaded_error";
    default:
      return "api_error";
  }
}

std::string ErrorBody(const ApiError& error, std::string_view request_id) {
  json::object inner;
  inner["type"] = error.type.empty() ? TypeOf(error.status) : std::string_view(error.type);
  inner["message"] = error.message;
  if (!error.details.is_null()) inner["details"] = error.details;
  json::object body;
  body["type"] = "error";
  body["error"] = std::move(inner);
  body["request_id"] = request_id;
  return json::serialize(body);
}

}  // namespace medidesk::claude_stub
