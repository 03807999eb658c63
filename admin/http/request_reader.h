// Turns the bytes of one connection into requests, one after the other (RFC 9112), on Beast's parser.
//
//   Prepare() -> read into it -> Commit(n) -> Next() ... kRequest -> answer -> Reset() -> Next() ...
//
// Sans-I/O: it owns no socket and no clock. Bytes that follow a request stay for the next one
// (pipelining). Everything is bounded: the head by `max_head` bytes and `max_headers` lines, the
// body by `max_body` and by what is left of the shared `body_budget`. A body above either is read
// and dropped, up to `max_drain` more bytes, so that the client gets to read the answer.
//
// Not thread-safe.
#pragma once

#include <boost/beast/http/basic_parser.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "admin/http/request.h"

namespace medidesk::http {

// Why a request is not handed to a handler.
struct Refusal {
  int status = 400;
  std::string_view code = "MALFORMED_REQUEST";
  std::string_view text = "The request is not valid HTTP/1.1.";
};

class RequestReader {
 public:
  struct Limits {
    std::size_t max_head = 16u << 10;   // bytes of request line and headers
    std::size_t max_headers = 100;      // lines
    std::size_t max_body = 1u << 20;    // bytes
    std::size_t max_drain = 64u << 20;  // bytes
  };
  enum class Event {
    kNeedMore,         // read more bytes
    kExpectsContinue,  // once: the client waits for "100 Continue"; send it and go on
    kRequest,          // request() is whole
    kRefused,          // answer with refusal(); keep_alive() says whether the connection can go on
  };

  // `body_budget` counts down the bytes that the bodies of all connections may hold; may be null.
  RequestReader(const Limits& limits, std::atomic<std::int64_t>* body_budget)
      : limits_(limits), body_budget_(body_budget) {}
  ~RequestReader() { ReleaseBudget(); }
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // Room for the next read, never empty; valid until the next call.
  std::span<char> Prepare();
  void Commit(std::size_t bytes);

  Event Next();

  // True when a byte of the next request is here: the connection is no longer idle.
  bool started() const { return begin_ != end_ || parser_.has_value(); }
  // Of the request in hand: whole after kRequest, what was understood of it after kRefused.
  Request& request() { return request_; }
  const Refusal& refusal() const { return *refusal_; }
  bool keep_alive() const { return keep_alive_; }
  // HTTP/1.1: an answer may come in chunks.
  bool takes_chunks() const { return version_ >= 11; }

  // Forgets the request in hand. Call after kRequest, or after kRefused with keep_alive().
  void Reset();

 private:
  class Parser final : public boost::beast::http::basic_parser<true> {
   public:
    explicit Parser(RequestReader& reader) : reader_(reader) {}

   private:
    using ErrorCode = boost::beast::error_code;
    using StringView = boost::beast::string_view;
    void on_request_impl(boost::beast::http::verb, StringView method, StringView target, int version,
                         ErrorCode& ec) override;
    void on_response_impl(int, StringView, int, ErrorCode&) override {}
    void on_field_impl(boost::beast::http::field field, StringView name, StringView value, ErrorCode& ec) override;
    void on_header_impl(ErrorCode& ec) override;
    void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode& ec) override;
    std::size_t on_body_impl(StringView body, ErrorCode& ec) override;
    void on_chunk_header_impl(std::uint64_t, StringView, ErrorCode&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t remain, StringView body, ErrorCode& ec) override;
    void on_finish_impl(ErrorCode&) override {}

    RequestReader& reader_;
  };

  void Refuse(const Refusal& refusal, boost::beast::error_code& ec);
  Event RefuseAndClose(const Refusal& refusal);
  void CountHead(std::size_t bytes, boost::beast::error_code& ec);
  void AppendBody(std::string_view bytes);
  void DropBody(const Refusal& refusal);
  void ReleaseBudget();
  Event Finish();

  const Limits limits_;
  std::atomic<std::int64_t>* const body_budget_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;

  std::optional<Parser> parser_;  // of the request in hand
  Request request_;
  std::optional<Refusal> refusal_;
  std::size_t head_bytes_ = 0;
  std::size_t body_bytes_ = 0;  // seen, dropped ones included
  std::int64_t charged_ = 0;    // taken from body_budget_
  int version_ = 11;
  int hosts_ = 0;
  bool in_body_ = false;
  bool expects_continue_ = false;
  bool keep_alive_ = false;
};

}  // namespace medidesk::http
