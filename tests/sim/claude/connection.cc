#include "tests/sim/claude/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "tests/sim/claude/api_error.h"
#include "tests/sim/claude/capped_body.h"
#include "tests/sim/claude/control.h"
#include "tests/sim/claude/event_stream.h"

namespace medidesk::claude_stub {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

using asio::ip::tcp;
using Parser = http::request_parser<CappedBody>;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::uint32_t kMaxHeader = 64 * 1024;  // bytes
constexpr std::size_t kKeptBuffer = 64 * 1024;   // bytes an idle connection may hold
constexpr std::chrono::seconds kLinger{2};       // for a client that still sends when we close
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kJson = "application/json";
const Headers kNoHeaders;
const Headers kNoCache = {{"cache-control", "no-cache"}};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return lower;
}

std::string_view ReasonOf(int status) {
  if (status == 529) return "Overloaded";
  const auto reason = http::obsolete_reason(static_cast<http::status>(status));
  return {reason.data(), reason.size()};
}

// Everything but a body's length or framing, which comes last.
std::string Head(int status, std::string_view content_type, std::string_view request_id, const Headers& extra,
                 bool keep_alive) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", status, ReasonOf(status));
  bool typed = false;
  for (const auto& [name, value] : extra) {
    typed = typed || name == "content-type";
    fmt::format_to(std::back_inserter(head), "{}: {}\r\n", name, value);
  }
  if (!typed) fmt::format_to(std::back_inserter(head), "content-type: {}\r\n", content_type);
  if (!request_id.empty()) fmt::format_to(std::back_inserter(head), "request-id: {}\r\n", request_id);
  if (!keep_alive) head += "connection: close\r\n";
  return head;
}

std::string WithBody(std::string head, std::string_view body) {
  fmt::format_to(std::back_inserter(head), "content-length: {}\r\n\r\n", body.size());
  head += body;
  return head;
}

Request ReadHead(const http::request_header<>& header) {
  Request request;
  const std::string_view method(header.method_string().data(), header.method_string().size());
  const std::string_view target(header.target().data(), header.target().size());
  const std::size_t question = target.find('?');
  request.method = method;
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  for (const auto& field : header) {
    const std::string_view name(field.name_string().data(), field.name_string().size());
    const std::string_view value(field.value().data(), field.value().size());
    std::string key = Lower(name);
    const auto same = std::find_if(request.headers.begin(), request.headers.end(),
                                   [&](const auto& known) { return known.first == key; });
    if (same != request.headers.end()) {
      same->second += ", ";
      same->second += value;
    } else {
      request.headers.emplace_back(std::move(key), std::string(value));
    }
  }
  return request;
}

class Connection {
 public:
  Connection(tcp::socket socket, StubState& state, const ApiConfig& config)
      : socket_(std::move(socket)), state_(state), config_(config) {}

  asio::awaitable<void> Run() {
    boost::system::error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    while (co_await ServeOne()) {
      if (buffer_.capacity() > kKeptBuffer) buffer_.shrink_to_fit();
    }
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    socket_.close(ignored);
  }

 private:
  // False when the connection is to be closed.
  asio::awaitable<bool> ServeOne() {
    Parser parser;
    parser.header_limit(kMaxHeader);
    parser.body_limit(boost::none);  // CappedBody holds the limit
    auto [error, size] = co_await http::async_read_header(socket_, buffer_, parser, kToken);
    if (error) co_return co_await RefuseMalformed(error);
    const auto expect = parser.get().find(http::field::expect);
    if (expect != parser.get().end() && Lower({expect->value().data(), expect->value().size()}) == "100-continue") {
      if (!co_await Write(kContinue)) co_return false;
    }
    std::tie(error, size) = co_await http::async_read(socket_, buffer_, parser, kToken);
    if (error) co_return co_await RefuseMalformed(error);
    keep_alive_ = parser.get().keep_alive();
    http11_ = parser.get().version() >= 11;
    Request request = ReadHead(parser.get());
    request.too_large = parser.get().body().too_large;
    if (!request.too_large) request.body = std::make_shared<const std::string>(std::move(parser.get().body().text));
    if (request.path.starts_with(kControlPrefix)) {
      const ControlAnswer answer = Control(state_, request);
      const std::string text = WithBody(Head(answer.status, kJson, "", kNoHeaders, keep_alive_), answer.body);
      co_return co_await Write(text) && keep_alive_;
    }
    const StubState::RequestPtr recorded = state_.Record(std::move(request));
    co_return co_await Answer(*recorded);
  }

  asio::awaitable<bool> Answer(const Request& request) {
    const std::string id = state_.NewId("req_");
    const std::optional<Fault> fault = state_.TakeFault(request.path);
    if (fault) {
      co_await Sleep(fault->delay);
      if (fault->mode == Fault::Mode::kDisconnect) co_return false;
      if (fault->mode == Fault::Mode::kHang) co_return co_await UntilClientCloses();
      if (fault->mode == Fault::Mode::kHttp) co_return co_await WriteFault(*fault, id);
    }
    const bool cuts = fault && fault->mode != Fault::Mode::kDelay;
    const ApiAnswer answer = AnswerApi(state_, config_, request, id, cuts);
    co_await Sleep(answer.delay);
    if (answer.stream) co_return co_await WriteStream(answer, id, cuts ? &*fault : nullptr);
    if (cuts && answer.status == 200) co_return co_await WriteCutAnswer(answer, id, *fault);
    const std::string text = WithBody(Head(answer.status, kJson, id, kNoHeaders, keep_alive_), answer.body);
    co_return co_await Write(text) && keep_alive_;
  }

  asio::awaitable<bool> WriteFault(const Fault& fault, std::string_view id) {
    std::string body;
    if (fault.body) {
      body = *fault.body;
    } else {
      const ApiError error{
          .status = fault.status, .type = fault.type, .message = fault.message, .details = fault.details};
      body = ErrorBody(error, id);
    }
    const std::string_view type = fault.body ? "text/html" : kJson;
    const std::string text = WithBody(Head(fault.status, type, id, fault.headers, keep_alive_), body);
    co_return co_await Write(text) && keep_alive_;
  }

  // The faults that are made for streams, on an answer without one.
  asio::awaitable<bool> WriteCutAnswer(const ApiAnswer& answer, std::string_view id, const Fault& fault) {
    if (fault.mode == Fault::Mode::kStall) co_return co_await UntilClientCloses();
    if (fault.mode == Fault::Mode::kSseError) co_return co_await WriteFault(fault, id);
    std::string text = WithBody(Head(answer.status, kJson, id, kNoHeaders, keep_alive_), answer.body);
    text.resize(text.size() - answer.body.size() / 2);
    co_await Write(text);
    co_return false;
  }

  // `cut` ends the stream early; null: to its end.
  asio::awaitable<bool> WriteStream(const ApiAnswer& answer, std::string_view id, const Fault* cut) {
    constexpr std::string_view kType = "text/event-stream; charset=utf-8";
    const bool keep_alive = keep_alive_ && http11_;
    std::string head = Head(200, kType, id, kNoCache, keep_alive);
    head += http11_ ? "transfer-encoding: chunked\r\n\r\n" : "\r\n";
    if (!co_await Write(head)) co_return false;
    const std::vector<StreamEvent> events = BuildEvents(answer.message);
    std::int64_t deltas = 0;
    for (const StreamEvent& event : events) {
      const bool enough = event.delta ? deltas == (cut ? cut->after_deltas : 0) : event.ends_message;
      if (cut && enough) co_return co_await CutStream(*cut, id);
      deltas += event.delta ? 1 : 0;
      if (!co_await WriteChunk(event.frame)) co_return false;
    }
    co_return co_await EndStream() && keep_alive;
  }

  asio::awaitable<bool> CutStream(const Fault& cut, std::string_view id) {
    if (cut.mode == Fault::Mode::kStall) co_return co_await UntilClientCloses();
    if (cut.mode == Fault::Mode::kTruncate) co_return false;
    const ApiError error{.status = cut.status, .type = cut.type, .message = cut.message, .details = cut.details};
    const std::string frame = Frame("error", ErrorBody(error, id));
    if (!co_await WriteChunk(frame)) co_return false;
    co_return co_await EndStream() && keep_alive_&& http11_;
  }

  asio::awaitable<bool> WriteChunk(std::string_view text) {
    if (!http11_) co_return co_await Write(text);
    const std::string chunk = fmt::format("{:x}\r\n{}\r\n", text.size(), text);
    co_return co_await Write(chunk);
  }

  asio::awaitable<bool> EndStream() {
    if (!http11_) co_return true;
    co_return co_await Write("0\r\n\r\n");
  }

  // Bytes that are not HTTP get an answer; a closed connection gets none.
  asio::awaitable<bool> RefuseMalformed(boost::system::error_code error) {
    const bool malformed = error.category() == http::make_error_code(http::error::end_of_stream).category() &&
                           error != http::error::end_of_stream && error != http::error::partial_message;
    if (!malformed) co_return false;
    const std::string id = state_.NewId("req_");
    const ApiError refusal{.status = 400, .message = "The request is not valid HTTP"};
    const std::string text = WithBody(Head(400, kJson, id, kNoHeaders, false), ErrorBody(refusal, id));
    if (!co_await Write(text)) co_return false;
    // Closing with unread bytes would reset the connection and could take the answer with it.
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    asio::steady_timer limit(socket_.get_executor(), kLinger);
    limit.async_wait([this](boost::system::error_code cancelled) {
      boost::system::error_code unused;
      if (!cancelled) socket_.cancel(unused);
    });
    co_return co_await UntilClientCloses();
  }

  // Reads and drops until the client closes; always false.
  asio::awaitable<bool> UntilClientCloses() {
    buffer_.clear();
    const auto scratch = buffer_.prepare(4096);
    bool open = true;
    while (open) {
      const auto [error, size] = co_await socket_.async_read_some(scratch, kToken);
      open = !error;
    }
    co_return false;
  }

  asio::awaitable<bool> Write(std::string_view text) {
    const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(text.data(), text.size()), kToken);
    co_return !error;
  }

  asio::awaitable<void> Sleep(std::chrono::milliseconds time) {
    if (time.count() <= 0) co_return;
    asio::steady_timer timer(socket_.get_executor(), time);
    co_await timer.async_wait(kToken);
  }

  tcp::socket socket_;
  StubState& state_;
  const ApiConfig& config_;
  boost::beast::flat_buffer buffer_;
  bool keep_alive_ = true;  // of the request being answered
  bool http11_ = true;
};

}  // namespace

asio::awaitable<void> ServeConnection(tcp::socket socket, StubState& state, const ApiConfig& config) {
  Connection connection(std::move(socket), state, config);
  co_await connection.Run();
}

}  // namespace medidesk::claude_stub
