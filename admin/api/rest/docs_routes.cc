#include "admin/api/rest/docs_routes.h"

#include <fmt/format.h>

#include <cstdlib>
#include <functional>

#include "admin/api/rest/etag.h"

namespace medidesk::admin::rest {
namespace {

constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

std::string_view Find(std::string_view name) {
  for (const EmbeddedFile& file : EmbeddedFiles()) {
    if (file.name == name) return file.text;
  }
  std::abort();  // the build left it out
}

http::Handler Serve(std::string_view name, std::string_view content_type) {
  const std::string_view text = Find(name);
  const std::string etag = fmt::format("\"{:016x}\"", std::hash<std::string_view>{}(text));
  return [text, content_type, etag](http::Request& request) -> boost::asio::awaitable<http::Response> {
    http::Response answer{.status = 304};
    if (!NoneMatchHolds(request.Find("if-none-match"), etag)) {
      answer = {.status = 200, .body = std::string(text), .content_type = content_type};
    }
    answer.Add("etag", etag);
    answer.Add("cache-control", "no-cache");
    answer.Add("content-security-policy", kPolicy);
    answer.Add("referrer-policy", "no-referrer");
    co_return answer;
  };
}

}  // namespace

void AddDocsRoutes(http::Router& router) {
  router.Add("GET", "/v1/openapi.json", Serve("openapi.json", http::kJson));
  router.Add("GET", "/v1/docs", Serve("index.html", "text/html; charset=utf-8"));
  router.Add("GET", "/v1/docs/docs.js", Serve("docs.js", "text/javascript; charset=utf-8"));
  router.Add("GET", "/v1/docs/docs.css", Serve("docs.css", "text/css; charset=utf-8"));
}

}  // namespace medidesk::admin::rest
