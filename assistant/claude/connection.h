// One HTTP/1.1 connection over TCP or TLS, used by one coroutine at a time.
//
// Every operation runs on the awaiting coroutine's executor, which must be a strand or a loop
// with one thread; consecutive exchanges may be on different strands. When an operation fails or
// is cancelled the connection is spent: destroy it.
//
// Errors: UNAVAILABLE (refused, reset, TLS, ended early), DEADLINE_EXCEEDED, INTERNAL (not HTTP,
// or above a size limit). Cancelling the awaiting coroutine ends the operation with Asio's
// operation_aborted exception at the coroutine's next co_await, as awaitables do.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "assistant/claude/http_message.h"
#include "assistant/claude/timing.h"
#include "base/status.h"

namespace medidesk::assistant::claude {

class Connection {
 public:
  static constexpr std::size_t kMaxHeaderBytes = 64u << 10;

  // `tls` null: plain TCP. Both must outlive the connection.
  Connection(boost::asio::any_io_executor executor, const Origin& origin, boost::asio::ssl::context* tls);

  // Resolves the name, tries its addresses in turn, shakes hands.
  boost::asio::awaitable<absl::Status> Connect(Clock::duration limit);

  // Sends the request and reads the answer's head, both within `limit`.
  boost::asio::awaitable<absl::StatusOr<HttpHead>> Exchange(const HttpRequest& request, std::uint64_t max_body,
                                                            Clock::duration limit);

  // The next bytes of the answer's body; empty at its end. The body's framing is undone.
  boost::asio::awaitable<absl::StatusOr<std::string>> ReadSome(Clock::duration limit);

  // True when the answer was read to its end and another request may follow.
  bool reusable() const;
  // False when the peer has closed, or has sent what nobody asked for, while it was idle.
  bool fresh();
  // True when an answer's first byte has arrived in the last Exchange.
  bool answered() const { return answered_; }

 private:
  using Socket = boost::asio::ip::tcp::socket;
  using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

  Socket& socket() { return tls_ ? tls_->next_layer() : *plain_; }
  boost::asio::awaitable<boost::system::error_code> ReadHeader();
  absl::Status Describe(boost::system::error_code error, bool timed_out) const;

  boost::asio::any_io_executor executor_;
  const Origin& origin_;
  std::optional<Socket> plain_;
  std::optional<boost::asio::ssl::stream<Socket>> tls_;
  boost::beast::flat_buffer buffer_{kMaxHeaderBytes};
  std::optional<Parser> parser_;
  bool answered_ = false;
  bool spent_ = false;
};

}  // namespace medidesk::assistant::claude
