#include "admin/http/router.h"

namespace medidesk::http {

void Router::Add(std::string_view method, std::string_view pattern, Handler handler, RouteOptions options) {
  const bool below = pattern.ends_with('*');
  Methods& methods =
      below ? prefixes_[std::string(pattern.substr(0, pattern.size() - 1))] : exact_[std::string(pattern)];
  methods.pattern = pattern;
  if (!methods.allow.empty()) methods.allow += ", ";
  methods.allow += method;  // "*" never shows: such a path takes every method
  if (method == "GET") methods.allow += ", HEAD";
  auto route = std::make_unique<Route>(Route{std::string(pattern), std::move(handler), options});
  methods.routes.emplace_back(std::string(method), std::move(route));
}

const Router::Methods* Router::FindPath(std::string_view path) const {
  if (const auto found = exact_.find(path); found != exact_.end()) return &found->second;
  for (const auto& [prefix, methods] : prefixes_) {  // descending: a longer prefix comes before its own beginning
    if (path.starts_with(prefix)) return &methods;
  }
  return nullptr;
}

Router::Match Router::Find(std::string_view method, std::string_view path) const {
  const Methods* methods = FindPath(path);
  if (methods == nullptr) return {};
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const auto& [name, route] : methods->routes) {
    if (name == wanted || name == "*")
      return {.route = route.get(), .pattern = methods->pattern, .allow = methods->allow};
  }
  return {.route = nullptr, .pattern = methods->pattern, .allow = methods->allow};
}

std::vector<std::string> Router::Patterns() const {
  std::vector<std::string> patterns;
  for (const auto& [path, methods] : exact_) patterns.push_back(methods.pattern);
  for (const auto& [prefix, methods] : prefixes_) patterns.push_back(methods.pattern);
  return patterns;
}

}  // namespace medidesk::http
