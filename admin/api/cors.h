// Cross-origin headers: a page in a browser gets nothing to read without them, errors included, so they
// go on every answer.
//
// Immutable and thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "admin/http/request.h"
#include "admin/http/response.h"

namespace medidesk::admin {

class Cors {
 public:
  // What pages may send and see. Static storage.
  struct Policy {
    std::string_view methods, headers, exposed;
  };
  static constexpr Policy kWebhook{
      .methods = "POST, OPTIONS",
      .headers =
          "authorization, x-client-info, apikey, content-type, x-retry-count, x-region, traceparent, "
          "tracestate, baggage",
      .exposed = "x-request-id, retry-after"};

  // Comma-separated origins ("https://desk.example.org"); empty or "*": every origin.
  explicit Cors(std::string_view allowed_origins = {}, const Policy& policy = kWebhook);

  // Adds what every answer carries.
  void Decorate(const http::Request& request, http::Response& response) const;
  // The answer to a preflight, before any key check (it carries none); Decorate() comes on top.
  http::Response Preflight() const;

 private:
  const Policy policy_;
  std::vector<std::string> origins_;  // empty: every one
};

}  // namespace medidesk::admin
