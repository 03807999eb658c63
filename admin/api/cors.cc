#include "admin/api/cors.h"

#include <algorithm>

namespace medidesk::admin {

Cors::Cors(std::string_view allowed_origins, const Policy& policy) : policy_(policy) {
  if (allowed_origins == "*") return;
  while (!allowed_origins.empty()) {
    const std::size_t comma = allowed_origins.find(',');
    std::string origin(allowed_origins.substr(0, comma));
    std::erase(origin, ' ');
    if (origin.ends_with('/')) origin.pop_back();  // an Origin header never ends so
    if (!origin.empty()) origins_.push_back(std::move(origin));
    if (comma == std::string_view::npos) break;
    allowed_origins.remove_prefix(comma + 1);
  }
}

void Cors::Decorate(const http::Request& request, http::Response& response) const {
  if (origins_.empty()) {
    response.Add("access-control-allow-origin", "*");
  } else {
    response.Add("vary", "Origin");
    const std::string_view origin = request.Find("origin");
    if (std::find(origins_.begin(), origins_.end(), origin) != origins_.end()) {
      response.Add("access-control-allow-origin", std::string(origin));
    }
  }
  response.Add("access-control-expose-headers", std::string(policy_.exposed));
}

http::Response Cors::Preflight() const {
  http::Response response{.status = 204};
  response.Add("access-control-allow-headers", std::string(policy_.headers));
  response.Add("access-control-allow-methods", std::string(policy_.methods));
  response.Add("access-control-max-age", "7200");
  return response;
}

}  // namespace medidesk::admin
