// One HTTP response and the helpers that make the usual ones.
//
// Content types are written in lower case: supabase-js compares `application/json` exactly.
// Plain values, not thread-safe.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/http/request.h"

namespace medidesk::http {

inline constexpr std::string_view kJson = "application/json";

// Where a body that is made while it is sent goes. One Write at a time.
class BodyWriter {
 public:
  // Sends `bytes` (they are copied nowhere: keep them until it completes). False: the client is gone
  // or takes nothing any more; end the body.
  virtual boost::asio::awaitable<bool> Write(std::string_view bytes) = 0;

 protected:
  ~BodyWriter() = default;
};

struct Response {
  struct Header {
    std::string_view name;  // lower case, static storage
    std::string value;      // control characters are dropped when it is sent
  };

  int status = 200;
  std::string body = {};
  std::string_view content_type = kJson;  // static storage; left out when the body is empty
  std::vector<Header> headers = {};       // without content-length, content-type, connection, date, x-request-id
  bool close = false;                     // ends the connection after this answer
  // How long the connection reads nothing after this answer: who asks on regardless waits, and costs nothing meanwhile.
  std::chrono::milliseconds pause{0};
  // Set: the body is what it writes, of a length that nobody knows yet, and `body` is left empty. The
  // request lives until it ends. False, or an exception: the body is cut off, so that the client sees
  // that it is not whole.
  std::function<boost::asio::awaitable<bool>(BodyWriter&)> stream = nullptr;

  void Add(std::string_view name, std::string value) { headers.push_back({name, std::move(value)}); }
};

Response JsonResponse(int status, std::string body);

// {"success":false,"error":"<text>","code":"<code>","requestId":"<id>"}: the one shape of every error.
// `text` is for people and quotes nothing of the request; `code` is upper case with underscores.
Response ErrorResponse(const Request& request, int status, std::string_view code, std::string_view text);

// The same with `retry-after` in whole seconds, rounded up, at least 1.
Response RetryLater(const Request& request, int status, std::string_view code, std::string_view text,
                    std::chrono::milliseconds after);

// Appends status line, headers and the blank line. `keep_alive` decides the connection header;
// `unix_seconds` the date. A streamed body is announced as chunked.
void AppendHead(std::string& out, const Response& response, std::string_view request_id, bool keep_alive,
                std::int64_t unix_seconds);

// "Bad Request" for 400; "Unknown" for what has no name here.
std::string_view ReasonPhrase(int status);

// Appends `text` as a JSON string with its quotes. UTF-8 passes through as it is.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace medidesk::http
