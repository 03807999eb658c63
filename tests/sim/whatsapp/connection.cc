#include "tests/sim/whatsapp/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tests/sim/whatsapp/session.h"

namespace medidesk::whatsapp_sim {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

using asio::ip::tcp;
using std::chrono::steady_clock;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kUpgradeLimit{30}, kCloseLimit{5};
constexpr std::size_t kMaxMessage = 32u << 20;  // bytes
constexpr std::size_t kMaxQueued = 256u << 20;  // bytes a client that does not read may cost
constexpr std::size_t kKeptBuffer = 16u << 10;  // bytes an idle connection may hold

using Plain = beast::tcp_stream;
using Tls = beast::ssl_stream<beast::tcp_stream>;

template <typename Stream>
class Connection final : public Link, public std::enable_shared_from_this<Connection<Stream>> {
 public:
  Connection(Stream stream, World& world)
      : ws_(std::move(stream)), world_(world), wake_(ws_.get_executor()), held_(ws_.get_executor()) {
    wake_.expires_at(steady_clock::time_point::max());
    held_.expires_at(steady_clock::time_point::max());
  }

  asio::awaitable<void> Run() {
    const auto self = this->shared_from_this();
    boost::system::error_code ignored;
    Tcp().socket().set_option(tcp::no_delay(true), ignored);
    Tcp().expires_after(kUpgradeLimit);
    if constexpr (std::is_same_v<Stream, Tls>) {
      const auto [error] = co_await ws_.next_layer().async_handshake(asio::ssl::stream_base::server, kToken);
      if (error) co_return;
    }
    if (!co_await Upgrade()) co_return;
    asio::co_spawn(
        ws_.get_executor(), [self] { return self->WriteLoop(); }, asio::detached);
    co_await ReadLoop();
    ended_ = true;
    session_->OnClosed();
    wake_.cancel();
    Tcp().socket().close(ignored);
  }

  // ---- Link.
  void Write(Bytes message) override {
    if (ended_ || last_) return;
    queued_ += message.size();
    if (queued_ > kMaxQueued) return Close(How::kReset, 0);
    queue_.push_back({.due = steady_clock::now() + late_, .message = std::move(message)});
    wake_.cancel();
  }

  void Close(How how, int status) override {
    if (ended_) return;
    if (!last_) last_ = {how, status};
    holding_ = false;
    held_.cancel();
    if (how == How::kReset) {
      last_ = {how, status};
      boost::system::error_code ignored;
      Tcp().socket().set_option(asio::socket_base::linger(true, 0), ignored);
      Tcp().socket().close(ignored);
    }
    wake_.cancel();
  }

  void StopReading() override { holding_ = true; }
  void DelayWrites(std::chrono::milliseconds late) override { late_ = late; }

  void After(std::chrono::milliseconds time, std::function<void()> then) override {
    auto timer = std::make_shared<asio::steady_timer>(ws_.get_executor(), time);
    timer->async_wait([weak = this->weak_from_this(), timer, then = std::move(then)](boost::system::error_code error) {
      const auto self = weak.lock();
      if (!error && self && !self->ended_) then();
    });
  }

 private:
  struct Queued {
    steady_clock::time_point due;
    Bytes message;
  };

  beast::tcp_stream& Tcp() { return beast::get_lowest_layer(ws_); }

  // The WebSocket is up, or nothing else is to be done.
  asio::awaitable<bool> Upgrade() {
    http::request_parser<http::empty_body> parser;
    {
      const auto [error, size] = co_await http::async_read(ws_.next_layer(), buffer_, parser, kToken);
      if (error) co_return false;
    }
    const std::string target(parser.get().target());
    for (const Fault& fault : world_.faults.Take(Fault::At::kUpgrade, {.phone = {}, .device = 0, .target = target})) {
      if (!co_await Strike(fault)) co_return false;
    }
    if (!websocket::is_upgrade(parser.get())) {
      co_await AnswerHttp(400);
      co_return false;
    }
    Tcp().expires_never();
    ws_.set_option(websocket::stream_base::timeout{
        .handshake_timeout = kCloseLimit, .idle_timeout = websocket::stream_base::none(), .keep_alive_pings = false});
    ws_.read_message_max(kMaxMessage);
    ws_.auto_fragment(false);
    ws_.binary(true);
    const auto [error] = co_await ws_.async_accept(parser.get(), kToken);
    if (error) co_return false;
    buffer_.clear();
    session_.emplace(world_, *this, target);
    co_return true;
  }

  // False when the connection is over with it.
  asio::awaitable<bool> Strike(const Fault& fault) {
    if (fault.kind == Fault::Kind::kHttp) {
      co_await AnswerHttp(static_cast<unsigned>(fault.code));
      co_return false;
    }
    if (fault.kind == Fault::Kind::kDelay) {
      asio::steady_timer timer(ws_.get_executor(), std::chrono::milliseconds(fault.ms));
      co_await timer.async_wait(kToken);
      co_return true;
    }
    if (fault.kind == Fault::Kind::kSilence) {
      Tcp().expires_never();
      const auto scratch = buffer_.prepare(4096);
      bool open = true;
      while (open) {
        const auto [error, size] = co_await ws_.next_layer().async_read_some(scratch, kToken);
        open = !error;
      }
      co_return false;
    }
    if (fault.kind == Fault::Kind::kDrop) {
      boost::system::error_code ignored;
      Tcp().socket().set_option(asio::socket_base::linger(true, 0), ignored);
    }
    co_return false;
  }

  asio::awaitable<void> AnswerHttp(unsigned status) {
    http::response<http::empty_body> response(static_cast<http::status>(status), 11);
    response.prepare_payload();
    response.keep_alive(false);
    co_await http::async_write(ws_.next_layer(), response, kToken);
  }

  asio::awaitable<void> ReadLoop() {
    for (;;) {
      if (holding_) co_await held_.async_wait(kToken);
      const auto [error, size] = co_await ws_.async_read(buffer_, kToken);
      if (error) co_return;
      if (ws_.got_binary()) {
        session_->OnMessage({static_cast<const std::uint8_t*>(buffer_.data().data()), buffer_.size()});
      }
      buffer_.clear();
      if (buffer_.capacity() > kKeptBuffer) buffer_.shrink_to_fit();
    }
  }

  // The only writer: frames leave in the order in which they were sealed.
  asio::awaitable<void> WriteLoop() {
    const auto self = this->shared_from_this();
    while (!ended_) {
      if (queue_.empty()) {
        if (last_) break;
        wake_.expires_at(steady_clock::time_point::max());
        co_await wake_.async_wait(kToken);
        continue;
      }
      if (queue_.front().due > steady_clock::now()) {
        asio::steady_timer timer(ws_.get_executor(), queue_.front().due);
        co_await timer.async_wait(kToken);
        continue;
      }
      const Bytes message = std::move(queue_.front().message);
      queue_.pop_front();
      queued_ -= message.size();
      const auto [error, size] = co_await ws_.async_write(asio::buffer(message), kToken);
      if (error) break;
    }
    if (!ended_ && last_ && last_->first == How::kClose) {
      const websocket::close_reason reason(static_cast<websocket::close_code>(last_->second));
      co_await ws_.async_close(reason, kToken);
    }
    boost::system::error_code ignored;
    Tcp().socket().shutdown(tcp::socket::shutdown_both, ignored);
    Tcp().socket().close(ignored);
  }

  websocket::stream<Stream> ws_;
  World& world_;
  beast::flat_buffer buffer_;
  std::deque<Queued> queue_;
  std::size_t queued_ = 0;   // bytes
  asio::steady_timer wake_;  // cancelled when there is something to write
  asio::steady_timer held_;  // cancelled when a connection that does not read is to end
  std::chrono::milliseconds late_{0};
  std::optional<std::pair<How, int>> last_;
  bool holding_ = false, ended_ = false;
  std::optional<Session> session_;
};

template <typename Stream>
void Spawn(Stream stream, World& world) {
  const auto executor = stream.get_executor();
  const auto connection = std::make_shared<Connection<Stream>>(std::move(stream), world);
  asio::co_spawn(
      executor, [connection] { return connection->Run(); }, asio::detached);
}

}  // namespace

void StartConnection(tcp::socket socket, asio::ssl::context* tls, World& world) {
  if (tls == nullptr) return Spawn(Plain(std::move(socket)), world);
  Spawn(Tls(Plain(std::move(socket)), *tls), world);
}

}  // namespace medidesk::whatsapp_sim
