// One HTTP/1.1 request and the head of its answer, as values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace medidesk::assistant::claude {

// In order of arrival; look-up ignores case and gives the first match, empty when absent.
class HttpHeaders {
 public:
  HttpHeaders() = default;
  explicit HttpHeaders(std::vector<std::pair<std::string, std::string>> fields) : fields_(std::move(fields)) {}

  void Add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  std::string_view Find(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// Host, Connection and Content-Length are added by the connection.
struct HttpRequest {
  std::string method;
  std::string target;  // below the base URL's path, e.g. /v1/messages
  HttpHeaders headers;
  std::string body;
};

struct HttpHead {
  int status = 0;
  HttpHeaders headers;
};

// Where the API is: http or https, host, port and a path that goes before every target.
struct Origin {
  bool tls = true;
  std::string host;  // without the brackets of an IPv6 address
  std::string port;
  std::string path;         // empty or /like/this
  std::string host_header;  // as it goes on the wire
};

}  // namespace medidesk::assistant::claude
