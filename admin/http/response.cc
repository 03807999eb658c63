#include "admin/http/response.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iterator>

namespace medidesk::http {
namespace {

// RFC 9110 section 5.6.7; formatted once a second and thread.
std::string_view HttpDate(std::int64_t unix_seconds) {
  thread_local std::int64_t shown = -1;
  thread_local std::string text;
  if (shown != unix_seconds) {
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t time = unix_seconds;
    std::tm parts{};
    gmtime_r(&time, &parts);
    text = fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[parts.tm_wday], parts.tm_mday,
                       kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    shown = unix_seconds;
  }
  return text;
}

// A line break inside a value would start a header of the sender's choice.
void AppendValue(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out += c;
  }
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 428:
      return "Precondition Required";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

void AppendJsonString(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;  // start of the stretch that needs no escape
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out.append(text, plain, std::string_view::npos);
  out += '"';
}

Response JsonResponse(int status, std::string body) { return {.status = status, .body = std::move(body)}; }

Response ErrorResponse(const Request& request, int status, std::string_view code, std::string_view text) {
  std::string body = R"({"success":false,"error":)";
  AppendJsonString(body, text);
  body += R"(,"code":)";
  AppendJsonString(body, code);
  body += R"(,"requestId":)";
  AppendJsonString(body, request.id);
  body += '}';
  return JsonResponse(status, std::move(body));
}

Response RetryLater(const Request& request, int status, std::string_view code, std::string_view text,
                    std::chrono::milliseconds after) {
  Response response = ErrorResponse(request, status, code, text);
  response.Add("retry-after", std::to_string(std::max<std::int64_t>(1, (after.count() + 999) / 1000)));
  return response;
}

void AppendHead(std::string& out, const Response& response, std::string_view request_id, bool keep_alive,
                std::int64_t unix_seconds) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\ndate: {}\r\n", response.status,
                 ReasonPhrase(response.status), HttpDate(unix_seconds));
  if (response.stream != nullptr) {
    fmt::format_to(std::back_inserter(out), "content-type: {}\r\ntransfer-encoding: chunked\r\n",
                   response.content_type);
  } else if (response.status != 204 && response.status != 304) {  // RFC 9110 section 8.6: no length there
    if (!response.body.empty()) fmt::format_to(std::back_inserter(out), "content-type: {}\r\n", response.content_type);
    fmt::format_to(std::back_inserter(out), "content-length: {}\r\n", response.body.size());
  }
  for (const Response::Header& header : response.headers) {
    out += header.name;
    out += ": ";
    AppendValue(out, header.value);
    out += "\r\n";
  }
  out += "x-request-id: ";
  AppendValue(out, request_id);
  out += keep_alive ? "\r\nconnection: keep-alive\r\n\r\n" : "\r\nconnection: close\r\n\r\n";
}

}  // namespace medidesk::http
