// A blocking HTTP client for the stub's own tests: sends any bytes, also ones no client library would.
// Every wait ends after 30 s at the latest, as a failure. Not thread-safe.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace medidesk::claude_stub {

struct RawAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without chunk framing
};

class RawClient {
 public:
  explicit RawClient(int port);

  // False when the connection failed.
  bool Send(std::string_view bytes);
  // nullopt when the connection ended before the answer did.
  std::optional<RawAnswer> Read();
  // Every byte up to the server's end of the connection; nullopt when it was reset or stays open.
  std::optional<std::string> ReadToEnd();
  // The bytes that have come when `text` is among them; nullopt when the connection ends before.
  std::optional<std::string> ReadUntil(std::string_view text);

 private:
  boost::asio::io_context io_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
};

// POST with the headers a right request has, and `body`.
std::string PostRequest(std::string_view path, std::string_view body);

// {"model":..,"max_tokens":8,"messages":[{"role":"user","content":"<text>"}]}; `text` needs no escaping.
std::string MessageBody(std::string_view text, bool stream = false);

}  // namespace medidesk::claude_stub
