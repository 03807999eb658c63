#include "admin/api/rest/rest_error.h"

#include <boost/json.hpp>
#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

#include "base/log.h"
#include "base/rpc/error_details.h"

namespace medidesk::admin::rest {
namespace {

using absl::StatusCode;

constexpr std::string_view kOursText = "Something went wrong on our side.";

int HttpCode(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return 200;
    case StatusCode::kInvalidArgument:
    case StatusCode::kFailedPrecondition:
    case StatusCode::kOutOfRange:
      return 400;
    case StatusCode::kPermissionDenied:
      return 403;
    case StatusCode::kNotFound:
      return 404;
    case StatusCode::kAborted:
    case StatusCode::kAlreadyExists:
      return 409;
    case StatusCode::kCancelled:
      return 499;
    case StatusCode::kUnimplemented:
      return 501;
    case StatusCode::kUnavailable:
    case StatusCode::kResourceExhausted:
      return 503;
    case StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

// The code that the server's own refusals stand for.
StatusCode CodeOf(int http_code) {
  switch (http_code) {
    case 401:
      return StatusCode::kUnauthenticated;
    case 403:
      return StatusCode::kPermissionDenied;
    case 404:
      return StatusCode::kNotFound;
    case 405:
    case 505:
      return StatusCode::kUnimplemented;
    case 503:
      return StatusCode::kUnavailable;
    case 500:
      return StatusCode::kInternal;
    default:
      return http_code >= 500 ? StatusCode::kUnknown : StatusCode::kInvalidArgument;
  }
}

void AddRetryAfter(http::Response& response, std::chrono::milliseconds after) {
  response.Add("retry-after", std::to_string(std::max<std::int64_t>(1, (after.count() + 999) / 1000)));
}

}  // namespace

std::string ErrorJson(const absl::Status& status) {
  google::rpc::Status body;
  body.set_code(static_cast<int>(status.code()));
  body.set_message(std::string(Text(status)));
  status.ForEachPayload([&body](auto type_url, const absl::Cord& payload) {
    google::protobuf::Any& detail = *body.add_details();
    detail.set_type_url(type_url.data(), type_url.size());
    detail.set_value(std::string(payload));
  });
  std::string json;
  if (google::protobuf::util::MessageToJsonString(body, &json).ok()) return json;
  body.clear_details();  // a detail of a type that this program does not know
  json.clear();
  if (google::protobuf::util::MessageToJsonString(body, &json).ok()) return json;
  return R"({"code":13,"message":"Something went wrong on our side."})";
}

http::Response ErrorAs(int http_code, const absl::Status& status) {
  return http::JsonResponse(http_code, ErrorJson(status));
}

http::Response ErrorOf(const http::Request& request, const absl::Status& status) {
  const int http_code = HttpCode(status.code());
  switch (http_code) {
    case 500:
      log::Error("rest_failed", {{"request", log::Public(request.id)}, {"status", static_cast<int>(status.code())}});
      return ErrorAs(500, Error(StatusCode::kInternal, kOursText));
    case 501:
      return ErrorAs(501, Error(StatusCode::kUnimplemented, "The service behind this path does not offer it yet."));
    case 503: {
      const auto after = rpc::RetryDelay(status).value_or(std::chrono::seconds(1));
      absl::Status busy =
          Error(StatusCode::kUnavailable, status.code() == StatusCode::kResourceExhausted
                                              ? "The service is busy. Please try again shortly."
                                              : "The service is not available. Please try again shortly.");
      http::Response response = ErrorAs(503, rpc::WithRetryDelay(std::move(busy), after));
      AddRetryAfter(response, after);
      return response;
    }
    case 504: {
      http::Response response =
          ErrorAs(504, Error(StatusCode::kDeadlineExceeded, "The answer took too long. Please try again."));
      AddRetryAfter(response, std::chrono::seconds(1));
      return response;
    }
    default:
      return ErrorAs(http_code, status);
  }
}

http::Response TooManyRequests(std::chrono::milliseconds retry_after) {
  absl::Status status = Error(StatusCode::kResourceExhausted, "Too many requests. Please try again later.");
  http::Response response = ErrorAs(429, rpc::WithRetryDelay(std::move(status), retry_after));
  AddRetryAfter(response, retry_after);
  return response;
}

void Reshape(http::Response& response) {
  if (response.status < 400 || !response.body.starts_with(R"({"success":false,)")) return;
  boost::json::error_code error;
  const boost::json::value parsed = boost::json::parse(response.body, error);
  const boost::json::value* text = error ? nullptr : parsed.as_object().if_contains("error");
  const std::string message = text != nullptr && text->is_string() ? std::string(text->as_string().c_str()) : "";
  response.body = ErrorJson(Error(CodeOf(response.status), message));
}

}  // namespace medidesk::admin::rest
