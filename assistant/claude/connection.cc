#include "assistant/claude/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "assistant/claude/watchdog.h"

namespace medidesk::assistant::claude {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr int kMaxInterimAnswers = 4;  // 100 Continue, 103 Early Hints

absl::Status TimedOut() { return Error(absl::StatusCode::kDeadlineExceeded, "the Claude API did not answer in time"); }

std::string RequestHead(const Origin& origin, const HttpRequest& request) {
  std::string head =
      fmt::format("{} {}{} HTTP/1.1\r\nhost: {}\r\n", request.method, origin.path, request.target, origin.host_header);
  for (const auto& [name, value] : request.headers.fields()) head += fmt::format("{}: {}\r\n", name, value);
  if (request.method != "GET") head += fmt::format("content-length: {}\r\n", request.body.size());
  head += "\r\n";
  return head;
}

// A dead peer must not hold an idle connection for hours; a small request must not wait for Nagle.
void Tune(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const int idle = 60, interval = 60, probes = 5;
  const int fd = socket.native_handle();
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

// The addresses of `origin`. A resolver cannot be interrupted, so its answer is raced against a
// timer; a late one is dropped.
asio::awaitable<absl::StatusOr<std::vector<tcp::endpoint>>> Resolve(const Origin& origin, Clock::duration limit) {
  struct Race {
    Race(const asio::any_io_executor& executor, Clock::duration limit) : timer(executor, limit), resolver(executor) {}
    asio::steady_timer timer;
    tcp::resolver resolver;
    bool answered = false;
    error_code error;
    std::vector<tcp::endpoint> endpoints;
  };
  error_code not_an_address;
  const asio::ip::address address = asio::ip::make_address(origin.host, not_an_address);
  if (!not_an_address) {
    std::vector<tcp::endpoint> one;
    one.emplace_back(address, static_cast<unsigned short>(std::stoi(origin.port)));
    co_return one;
  }
  const auto race = std::make_shared<Race>(co_await asio::this_coro::executor, limit);
  race->resolver.async_resolve(origin.host, origin.port, [race](error_code error, tcp::resolver::results_type results) {
    race->answered = true;
    race->error = error;
    for (const auto& entry : results) race->endpoints.push_back(entry.endpoint());
    race->timer.cancel();
  });
  if (!race->answered) co_await race->timer.async_wait(kTuple);
  if (!race->answered) {
    race->resolver.cancel();
    co_return TimedOut();
  }
  if (race->error || race->endpoints.empty()) {
    co_return Error(absl::StatusCode::kUnavailable,
                    "the Claude API's host name has no address: check ANTHROPIC_BASE_URL and the DNS");
  }
  co_return std::move(race->endpoints);
}

}  // namespace

Connection::Connection(asio::any_io_executor executor, const Origin& origin, asio::ssl::context* tls)
    : executor_(std::move(executor)), origin_(origin) {
  if (tls != nullptr) {
    tls_.emplace(executor_, *tls);
  } else {
    plain_.emplace(executor_);
  }
}

asio::awaitable<absl::Status> Connection::Connect(Clock::duration limit) {
  const Clock::time_point end = Clock::now() + limit;
  spent_ = true;  // until proven otherwise
  absl::StatusOr<std::vector<tcp::endpoint>> endpoints = co_await Resolve(origin_, limit);
  if (!endpoints.ok()) co_return std::move(endpoints).status();

  Watchdog watchdog(co_await asio::this_coro::executor, socket());
  absl::Status failed = TimedOut();
  bool connected = false;
  for (std::size_t i = 0; i < endpoints->size() && !connected; ++i) {
    // A dead first address must leave time for the others.
    const Clock::duration left = end - Clock::now();
    if (left <= Clock::duration::zero()) break;
    error_code error;
    socket().close(error);
    watchdog.Arm(left / static_cast<int>(endpoints->size() - i));
    std::tie(error) = co_await socket().async_connect((*endpoints)[i], kTuple);
    connected = !error;
    if (error) failed = Describe(error, watchdog.fired());
  }
  if (!connected) co_return failed;
  Tune(socket());

  if (tls_) {
    error_code not_an_address;
    asio::ip::make_address(origin_.host, not_an_address);
    if (not_an_address) SSL_set_tlsext_host_name(tls_->native_handle(), origin_.host.c_str());
    tls_->set_verify_callback(asio::ssl::host_name_verification(origin_.host));
    watchdog.Arm(end - Clock::now());
    const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::client, kTuple);
    if (error) {
      if (watchdog.fired()) co_return TimedOut();
      co_return Error(absl::StatusCode::kUnavailable,
                      "no TLS with the Claude API: check ANTHROPIC_BASE_URL, and that its certificate is trusted here");
    }
  }
  spent_ = false;
  co_return absl::OkStatus();
}

asio::awaitable<absl::StatusOr<HttpHead>> Connection::Exchange(const HttpRequest& request, std::uint64_t max_body,
                                                               Clock::duration limit) {
  spent_ = true;
  answered_ = false;
  Watchdog watchdog(co_await asio::this_coro::executor, socket());
  watchdog.Arm(limit);

  const std::string head = RequestHead(origin_, request);
  const std::array<asio::const_buffer, 2> parts = {asio::buffer(head), asio::buffer(request.body)};
  error_code error;
  std::size_t written = 0;
  if (tls_) {
    std::tie(error, written) = co_await asio::async_write(*tls_, parts, kTuple);
  } else {
    std::tie(error, written) = co_await asio::async_write(*plain_, parts, kTuple);
  }
  // A peer may answer (413, say) and close before it has read everything: look for that answer.
  if (error && watchdog.fired()) co_return TimedOut();
  const error_code write_error = error;

  for (int interim = 0;; ++interim) {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(max_body);
    error = co_await ReadHeader();
    if (error) co_return Describe(write_error ? write_error : error, watchdog.fired());
    if (parser_->get().result_int() >= 200) break;
    if (interim == kMaxInterimAnswers || parser_->get().result_int() == 101) {
      co_return Error(absl::StatusCode::kInternal, "the Claude API's host sent an unexpected interim answer");
    }
  }
  HttpHead out;
  out.status = static_cast<int>(parser_->get().result_int());
  for (const auto& field : parser_->get()) {
    const auto name = field.name_string();
    const auto value = field.value();
    out.headers.Add(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
  spent_ = static_cast<bool>(write_error);
  co_return out;
}

asio::awaitable<error_code> Connection::ReadHeader() {
  error_code error;
  while (!parser_->is_header_done()) {
    std::size_t count = 0;
    if (tls_) {
      std::tie(error, count) = co_await http::async_read_some(*tls_, buffer_, *parser_, kTuple);
    } else {
      std::tie(error, count) = co_await http::async_read_some(*plain_, buffer_, *parser_, kTuple);
    }
    answered_ = answered_ || parser_->got_some();
    if (error) co_return error;
  }
  co_return error_code();
}

asio::awaitable<absl::StatusOr<std::string>> Connection::ReadSome(Clock::duration limit) {
  Watchdog watchdog(co_await asio::this_coro::executor, socket());
  bool armed = false;
  std::string bytes;
  while (bytes.empty() && !parser_->is_done()) {
    if (!armed) {
      watchdog.Arm(limit);
      armed = true;
    }
    error_code error;
    std::size_t count = 0;
    if (tls_) {
      std::tie(error, count) = co_await http::async_read_some(*tls_, buffer_, *parser_, kTuple);
    } else {
      std::tie(error, count) = co_await http::async_read_some(*plain_, buffer_, *parser_, kTuple);
    }
    if (error) {
      spent_ = true;
      co_return Describe(error, watchdog.fired());
    }
    bytes.swap(parser_->get().body());
  }
  co_return bytes;
}

bool Connection::reusable() const {
  return !spent_ && parser_ && parser_->is_done() && parser_->keep_alive() && buffer_.size() == 0;
}

bool Connection::fresh() {
  char byte = 0;
  const ssize_t got = ::recv(socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
  return got > 0 && tls_.has_value();  // TLS may have left session tickets to read
}

absl::Status Connection::Describe(error_code error, bool timed_out) const {
  if (timed_out) return TimedOut();
  const bool http_error = error.category() == http::make_error_code(http::error::bad_version).category();
  if (http_error && error != http::error::end_of_stream && error != http::error::partial_message) {
    return Error(absl::StatusCode::kInternal, "the Claude API's host sent what is not HTTP, or above a size limit");
  }
  return Error(absl::StatusCode::kUnavailable, "the connection to the Claude API failed");
}

}  // namespace medidesk::assistant::claude
