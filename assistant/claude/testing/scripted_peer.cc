#include "assistant/claude/testing/scripted_peer.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

namespace medidesk::assistant::claude::testing {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

tcp::socket& Lowest(tcp::socket& socket) { return socket; }
tcp::socket& Lowest(asio::ssl::stream<tcp::socket>& stream) { return stream.next_layer(); }

}  // namespace

struct ScriptedPeer::State {
  State(asio::io_context& io, asio::ssl::context* tls)
      : acceptor(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)), tls(tls) {}
  tcp::acceptor acceptor;
  asio::ssl::context* tls;
  std::deque<PeerReply> replies;
  std::vector<Seen> requests;
  std::function<void()> on_request;
  int connections = 0;
  int closed = 0;
};

PeerReply JsonReply(int status, std::string_view body, const ExtraHeaders& headers) {
  std::string text =
      fmt::format("HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", status, body.size());
  for (const auto& [name, value] : headers) text += fmt::format("{}: {}\r\n", name, value);
  text += "\r\n";
  text += body;
  PeerReply reply;
  reply.pieces.push_back(std::move(text));
  return reply;
}

std::string SseFrame(std::string_view name, std::string_view data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, data);
}

PeerReply SseReply(const std::vector<std::string>& frames, bool finish) {
  PeerReply reply;
  reply.pieces.push_back(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nrequest-id: req_stream\r\n"
      "transfer-encoding: chunked\r\n\r\n");
  for (const std::string& frame : frames) reply.pieces.push_back(fmt::format("{:x}\r\n{}\r\n", frame.size(), frame));
  if (finish) {
    reply.pieces.push_back("0\r\n\r\n");
  } else {
    reply.after = PeerReply::After::kClose;
  }
  return reply;
}

PeerReply CloseWithoutAByte() {
  PeerReply reply;
  reply.after = PeerReply::After::kClose;
  return reply;
}

PeerReply Stall() {
  PeerReply reply;
  reply.after = PeerReply::After::kStall;
  return reply;
}

ScriptedPeer::ScriptedPeer(asio::io_context& io, asio::ssl::context* tls) : state_(std::make_shared<State>(io, tls)) {
  asio::co_spawn(io, Accept(state_), asio::detached);
}

ScriptedPeer::~ScriptedPeer() {
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
}

void ScriptedPeer::Enqueue(PeerReply reply) { state_->replies.push_back(std::move(reply)); }
const std::vector<ScriptedPeer::Seen>& ScriptedPeer::requests() const { return state_->requests; }
int ScriptedPeer::connections() const { return state_->connections; }
int ScriptedPeer::closed() const { return state_->closed; }
std::size_t ScriptedPeer::unused_replies() const { return state_->replies.size(); }
void ScriptedPeer::OnRequest(std::function<void()> callback) { state_->on_request = std::move(callback); }

std::string ScriptedPeer::base_url(std::string_view host) const {
  return fmt::format("{}://{}:{}", state_->tls == nullptr ? "http" : "https", host,
                     state_->acceptor.local_endpoint().port());
}

asio::awaitable<void> ScriptedPeer::Accept(std::shared_ptr<State> state) {
  while (true) {
    auto [error, socket] = co_await state->acceptor.async_accept(kTuple);
    if (error) co_return;
    const int number = ++state->connections;
    const auto executor = socket.get_executor();
    if (state->tls != nullptr) {
      asio::ssl::stream<tcp::socket> stream(std::move(socket), *state->tls);
      asio::co_spawn(executor, Serve(state, std::move(stream), number), asio::detached);
    } else {
      asio::co_spawn(executor, Serve(state, std::move(socket), number), asio::detached);
    }
  }
}

template <class Stream>
asio::awaitable<void> ScriptedPeer::Serve(std::shared_ptr<State> state, Stream stream, int number) {
  boost::system::error_code error;
  std::size_t count = 0;
  if constexpr (!std::is_same_v<Stream, tcp::socket>) {
    std::tie(error) = co_await stream.async_handshake(asio::ssl::stream_base::server, kTuple);
    if (error) co_return;
  }
  boost::beast::flat_buffer buffer;
  while (true) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(64u << 20);
    std::tie(error, count) = co_await http::async_read(stream, buffer, parser, kTuple);
    if (error) {
      ++state->closed;
      co_return;
    }
    Seen seen;
    const auto& message = parser.get();
    seen.method = std::string(message.method_string());
    seen.target = std::string(message.target());
    seen.body = message.body();
    for (const auto& field : message) seen.headers.Add(std::string(field.name_string()), std::string(field.value()));
    seen.connection = number;
    state->requests.push_back(std::move(seen));
    PeerReply reply = Stall();
    if (!state->replies.empty()) {
      reply = std::move(state->replies.front());
      state->replies.pop_front();
    }
    if (state->on_request) state->on_request();
    for (const std::string& piece : reply.pieces) {
      std::tie(error, count) = co_await asio::async_write(stream, asio::buffer(piece), kTuple);
      if (error) {
        ++state->closed;
        co_return;
      }
      // Lets the reader see this piece alone.
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    }
    if (reply.after == PeerReply::After::kClose) co_return;
    if (reply.after == PeerReply::After::kReset) {
      Lowest(stream).set_option(asio::socket_base::linger(true, 0), error);
      Lowest(stream).close(error);
      co_return;
    }
    if (reply.after == PeerReply::After::kStall) {
      char byte = 0;
      std::tie(error, count) = co_await stream.async_read_some(asio::buffer(&byte, 1), kTuple);
      ++state->closed;
      co_return;
    }
  }
}

}  // namespace medidesk::assistant::claude::testing
