#include "tests/sim/claude/testing/raw_client.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace medidesk::claude_stub {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr std::chrono::seconds kDeadline{30};

}  // namespace

RawClient::RawClient(int port) : stream_(io_) {
  boost::system::error_code ignored;
  stream_.socket().connect({asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)}, ignored);
}

bool RawClient::Send(std::string_view bytes) {
  boost::system::error_code result;
  stream_.expires_after(kDeadline);
  asio::async_write(stream_, asio::buffer(bytes.data(), bytes.size()),
                    [&](boost::system::error_code error, std::size_t) { result = error; });
  io_.restart();
  io_.run();
  return !result;
}

std::optional<RawAnswer> RawClient::Read() {
  boost::system::error_code result;
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  stream_.expires_after(kDeadline);
  http::async_read(stream_, buffer_, parser, [&](boost::system::error_code error, std::size_t) { result = error; });
  io_.restart();
  io_.run();
  if (result) return std::nullopt;
  RawAnswer answer{.status = static_cast<int>(parser.get().result_int()), .headers = {}, .body = parser.get().body()};
  for (const auto& field : parser.get()) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    answer.headers[name] = std::string(field.value());
  }
  return answer;
}

std::optional<std::string> RawClient::ReadToEnd() {
  std::string text;
  for (;;) {
    boost::system::error_code result;
    std::size_t count = 0;
    char bytes[8192];
    stream_.expires_after(kDeadline);
    stream_.async_read_some(asio::buffer(bytes), [&](boost::system::error_code error, std::size_t size) {
      result = error;
      count = size;
    });
    io_.restart();
    io_.run();
    text.append(bytes, count);
    if (result == asio::error::eof) return text;
    if (result) return std::nullopt;
  }
}

std::optional<std::string> RawClient::ReadUntil(std::string_view wanted) {
  std::string text;
  while (text.find(wanted) == std::string::npos) {
    boost::system::error_code result;
    std::size_t count = 0;
    char bytes[8192];
    stream_.expires_after(kDeadline);
    stream_.async_read_some(asio::buffer(bytes), [&](boost::system::error_code error, std::size_t size) {
      result = error;
      count = size;
    });
    io_.restart();
    io_.run();
    if (result) return std::nullopt;
    text.append(bytes, count);
  }
  return text;
}

std::string PostRequest(std::string_view path, std::string_view body) {
  return fmt::format(
      "POST {} HTTP/1.1\r\nhost: stub\r\nx-api-key: k\r\nanthropic-version: 2026-10-21\r\n"
      "content-type: application/json\r\ncontent-length: {}\r\n\r\n{}",
      path, body.size(), body);
}

std::string MessageBody(std::string_view text, bool stream) {
  return fmt::format(
      R"({{"model":"claude-haiku-5-5","max_tokens":8,"stream":{},"messages":[{{"role":"user","content":"{}"}}]}})",
      stream, text);
}

}  // namespace medidesk::claude_stub
