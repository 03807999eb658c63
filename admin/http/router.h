// Which handler answers which method and path.
//
//   router.Add("GET", "/health", handler);
//   router.Add("GET", "/assets/*", handler);   // everything below; the longest prefix wins
//
// A path is compared as sent, without its query. HEAD is answered by the GET handler. Filled
// before the server starts, then read from every thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "admin/http/request.h"
#include "admin/http/response.h"

namespace medidesk::http {

// Runs on the connection's strand and must not block. The request lives until the coroutine ends.
// An exception that escapes is answered with 500.
using Handler = std::function<boost::asio::awaitable<Response>(Request& request)>;

class Router {
 public:
  struct RouteOptions {
    bool counts = true;  // false: answered also when max_in_flight is reached (health, metrics)
  };
  struct Route {
    std::string pattern;  // as given to Add: a closed set, fit for a metric's label
    Handler handler;
    RouteOptions options;
  };

  // `method` "*" takes every method that was not added before it.
  void Add(std::string_view method, std::string_view pattern, Handler handler, RouteOptions options);
  void Add(std::string_view method, std::string_view pattern, Handler handler) {
    Add(method, pattern, std::move(handler), RouteOptions{});
  }

  struct Match {
    const Route* route = nullptr;   // null: 404, or 405 when `allow` is not empty
    std::string_view pattern = {};  // also set for 405
    std::string_view allow = {};    // "GET, HEAD, POST": what the path takes
  };
  Match Find(std::string_view method, std::string_view path) const;

  // Every pattern once.
  std::vector<std::string> Patterns() const;

 private:
  struct Methods {
    std::string pattern, allow;
    std::vector<std::pair<std::string, std::unique_ptr<Route>>> routes;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  const Methods* FindPath(std::string_view path) const;

  std::unordered_map<std::string, Methods, Hash, std::equal_to<>> exact_;
  std::map<std::string, Methods, std::greater<>> prefixes_;  // without the *
};

}  // namespace medidesk::http
