#include "admin/api/desk/pages.h"

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <unordered_map>

#include "admin/api/rest/etag.h"

namespace medidesk::admin {
namespace {

// img-src data: for the QR code, which comes as an SVG text and is shown as an image, where no script can run.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

bool TakesGzip(std::string_view encodings) {
  while (!encodings.empty()) {
    const std::size_t end = std::min(encodings.find(','), encodings.size());
    std::string_view one = encodings.substr(0, end);
    encodings.remove_prefix(std::min(end + 1, encodings.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    if (one.starts_with("gzip") && one.find("q=0") == std::string_view::npos) return true;
  }
  return false;
}

http::Handler Serve(const WebFile& file) {
  const bool page = file.content_type.starts_with("text/html");
  const std::string etag = fmt::format("\"{:016x}\"", std::hash<std::string_view>{}(file.bytes));
  return [&file, page, etag](http::Request& request) -> boost::asio::awaitable<http::Response> {
    http::Response answer{.status = 304};
    if (!rest::NoneMatchHolds(request.Find("if-none-match"), etag)) {
      const bool gzip = !file.gzip.empty() && TakesGzip(request.Find("accept-encoding"));
      answer = {.status = 200, .body = std::string(gzip ? file.gzip : file.bytes), .content_type = file.content_type};
      if (gzip) answer.Add("content-encoding", "gzip");
    }
    answer.Add("etag", etag);
    answer.Add("vary", "accept-encoding");
    answer.Add("cache-control", page ? "no-cache" : "public, max-age=31536000, immutable");
    answer.Add("content-security-policy", kPolicy);
    answer.Add("cross-origin-opener-policy", "same-origin");
    answer.Add("cross-origin-resource-policy", "same-origin");
    answer.Add("permissions-policy", "camera=(), microphone=(), geolocation=()");
    answer.Add("referrer-policy", "no-referrer");
    answer.Add("x-content-type-options", "nosniff");
    answer.Add("x-frame-options", "DENY");
    co_return answer;
  };
}

}  // namespace

void AddPages(http::Router& router) {
  // One route for all of them: their names change with every build, and a route is a metric's label.
  const auto assets = std::make_shared<std::unordered_map<std::string_view, http::Handler>>();
  for (const WebFile& file : WebFiles()) {
    if (file.path == "/index.html") {
      router.Add("GET", "/", Serve(file));
    } else {
      assets->emplace(file.path, Serve(file));
    }
  }
  router.Add("GET", "/assets/*", [assets](http::Request& request) -> boost::asio::awaitable<http::Response> {
    const auto found = assets->find(request.path());
    if (found == assets->end()) {
      co_return http::ErrorResponse(request, 404, "NOT_FOUND", "There is nothing at this path.");
    }
    co_return co_await found->second(request);
  });
}

}  // namespace medidesk::admin
