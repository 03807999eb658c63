// Errors of /v1: google.rpc.Status as JSON, under the HTTP code that its code stands for.
//
//   {"code":5,"message":"no FAQ has this key","details":[{"@type":"type.googleapis.com/google.rpc...",...}]}
//
//   INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE 400   UNAUTHENTICATED 401   PERMISSION_DENIED 403
//   NOT_FOUND 404   ABORTED, ALREADY_EXISTS 409   CANCELLED 499   UNIMPLEMENTED 501   DEADLINE_EXCEEDED 504
//   UNAVAILABLE and RESOURCE_EXHAUSTED of a service 503: it is busy or away, whoever asks; 429 is
//   kept for the limits of one caller. Both carry retry-after, and 401 www-authenticate.
//
// Pure functions.
#pragma once

#include <chrono>

#include "admin/http/request.h"
#include "admin/http/response.h"
#include "base/status.h"

namespace medidesk::admin::rest {

// What a service answered. An error of its own (INTERNAL, UNKNOWN, DATA_LOSS, and UNAUTHENTICATED, which
// would be our own credential) becomes 500 without its text.
http::Response ErrorOf(const http::Request& request, const absl::Status& status);

// An error of /v1 itself, its HTTP code given where the status code alone does not say it (405, 412, 415,
// 429). `status` may carry details.
http::Response ErrorAs(int http_code, const absl::Status& status);
// 429, with RetryInfo and retry-after.
http::Response TooManyRequests(std::chrono::milliseconds retry_after);

// The JSON body for an error, also inside a stream.
std::string ErrorJson(const absl::Status& status);

// Gives an error that the HTTP server made by itself (413, 431, 503, ...) the shape of /v1.
void Reshape(http::Response& response);

}  // namespace medidesk::admin::rest
