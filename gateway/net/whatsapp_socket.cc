#include "gateway/net/whatsapp_socket.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <array>
#include <deque>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"

namespace medidesk::gateway::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr auto kNever = std::chrono::steady_clock::time_point::max;
constexpr std::size_t kReadSize = 8u << 10;  // bytes; each open connection holds this much

using Plain = beast::tcp_stream;
using Tls = beast::ssl_stream<beast::tcp_stream>;

absl::Status Lost(std::string_view what) { return Error(absl::StatusCode::kUnavailable, what); }

// These answers to an upgrade pass by themselves.
bool IsRetryable(unsigned status) { return status == 408 || (status >= 500 && status <= 504); }

// A look-up cannot be interrupted: who waits for it may go first, and its late answer finds nobody.
struct LookUp {
  explicit LookUp(const asio::any_io_executor& executor) : resolver(executor), done(executor, kNever()) {}
  tcp::resolver resolver;
  asio::steady_timer done;
  std::vector<tcp::endpoint> endpoints;
};

template <typename Stream>
class Socket final : public WhatsAppSocket, public std::enable_shared_from_this<Socket<Stream>> {
 public:
  Socket(Stream stream, const WhatsAppServer& server)
      : server_(server),
        ws_(std::move(stream)),
        look_up_(std::make_shared<LookUp>(ws_.get_executor())),
        limit_(ws_.get_executor()),
        wake_(ws_.get_executor(), kNever()),
        write_limit_(ws_.get_executor()) {}

  asio::awaitable<absl::Status> Open(std::chrono::milliseconds limit) override {
    const auto self = this->shared_from_this();
    if (ended_) co_return Lost("the connection was given up");
    AbortAfter(limit_, limit);
    absl::Status status = co_await Connect();
    if (status.ok()) status = co_await Upgrade();
    limit_.cancel();
    if (status.ok() && ended_) status = Lost("the connection was given up");
    if (!status.ok()) {
      Abort();
      co_return status;
    }
    open_ = true;
    asio::co_spawn(
        ws_.get_executor(), [self] { return self->WriteLoop(); }, asio::detached);
    co_return status;
  }

  asio::awaitable<absl::StatusOr<wa::ByteView>> Read() override {
    const auto self = this->shared_from_this();
    while (!ended_) {
      const auto [error, size] = co_await ws_.async_read_some(asio::buffer(buffer_), kToken);
      if (error) break;
      if (size == 0) continue;
      if (ws_.got_binary()) co_return wa::ByteView(buffer_.data(), size);
      if (!std::exchange(text_reported_, true)) log::Warning("whatsapp.text_message_dropped");
    }
    if (!closing_) Abort();  // else the close frame's answer is waited for
    co_return Lost("the connection is gone");
  }

  void Send(wa::Bytes message) override {
    if (!open_ || closing_ || ended_) return;
    queued_ += message.size();
    if (queued_ > kMaxQueued) return Abort();
    queue_.push_back(std::move(message));
    wake_.cancel();
  }

  void Close() override {
    if (!open_) return Abort();
    if (closing_ || ended_) return;
    closing_ = true;
    AbortAfter(limit_, kCloseLimit);
    wake_.cancel();
  }

  void Abort() override {
    if (std::exchange(ended_, true)) return;
    limit_.cancel();
    write_limit_.cancel();
    wake_.cancel();
    look_up_->resolver.cancel();
    look_up_->done.cancel();
    error_code ignored;
    tcp_stream().socket().close(ignored);
  }

  bool ended() const override { return ended_; }

 private:
  beast::tcp_stream& tcp_stream() { return beast::get_lowest_layer(ws_); }

  void AbortAfter(asio::steady_timer& timer, std::chrono::milliseconds limit) {
    timer.expires_after(limit);
    timer.async_wait([weak = this->weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (!error && self) self->Abort();
    });
  }

  asio::awaitable<void> LookUpHost() {
    error_code not_an_address;
    const asio::ip::address address = asio::ip::make_address(server_.host, not_an_address);
    if (!not_an_address) {
      look_up_->endpoints.emplace_back(address, static_cast<std::uint16_t>(std::stoi(server_.port)));
      co_return;
    }
    look_up_->resolver.async_resolve(
        server_.host, server_.port, [look_up = look_up_](error_code error, const tcp::resolver::results_type& results) {
          if (!error) {
            for (const auto& entry : results) look_up->endpoints.push_back(entry.endpoint());
          }
          // Not cancel(): the wait may be about to begin.
          look_up->done.expires_at(std::chrono::steady_clock::time_point());
        });
    co_await look_up_->done.async_wait(kToken);
  }

  asio::awaitable<absl::Status> Connect() {
    co_await LookUpHost();
    if (ended_) co_return Lost("no connection in time");
    if (look_up_->endpoints.empty()) co_return Lost("WhatsApp's host name has no address");
    {
      const auto [error, endpoint] = co_await tcp_stream().async_connect(look_up_->endpoints, kToken);
      if (error || ended_) co_return Lost("no TCP connection");
    }
    error_code ignored;
    tcp_stream().socket().set_option(tcp::no_delay(true), ignored);
    if constexpr (std::is_same_v<Stream, Tls>) {
      Tls& tls = ws_.next_layer();
      error_code not_an_address;
      asio::ip::make_address(server_.host, not_an_address);
      if (not_an_address) SSL_set_tlsext_host_name(tls.native_handle(), server_.host.c_str());
      tls.set_verify_callback(asio::ssl::host_name_verification(server_.host), ignored);
      const auto [error] = co_await tls.async_handshake(asio::ssl::stream_base::client, kToken);
      if (error && SSL_get_verify_result(tls.native_handle()) != X509_V_OK) {
        co_return Error(absl::StatusCode::kPermissionDenied, "TLS could not verify the server");
      }
      if (error) co_return Lost("no TLS connection");
    }
    co_return absl::OkStatus();
  }

  asio::awaitable<absl::Status> Upgrade() {
    // Our own timers watch it; Beast's idle time-out would not see the session's pings.
    ws_.set_option(websocket::stream_base::timeout{.handshake_timeout = websocket::stream_base::none(),
                                                   .idle_timeout = websocket::stream_base::none(),
                                                   .keep_alive_pings = false});
    ws_.set_option(websocket::stream_base::decorator([](websocket::request_type& request) {
      request.set(http::field::origin, "https://web.whatsapp.com");
      request.set(http::field::cache_control, "no-cache");
      request.set(http::field::pragma, "no-cache");
    }));
    ws_.read_message_max(kMaxMessage);
    ws_.auto_fragment(false);
    ws_.binary(true);
    websocket::response_type response;
    const auto [error] = co_await ws_.async_handshake(response, server_.host_header, server_.target, kToken);
    if (!error) co_return absl::OkStatus();
    if (error == websocket::error::upgrade_declined && !IsRetryable(response.result_int())) {
      co_return Error(absl::StatusCode::kFailedPrecondition, "the server refused the WebSocket");
    }
    co_return Lost("no WebSocket");
  }

  // The only writer: messages leave in their order, one at a time.
  asio::awaitable<void> WriteLoop() {
    while (!ended_) {
      if (queue_.empty()) {
        if (closing_) break;
        wake_.expires_at(kNever());
        co_await wake_.async_wait(kToken);
        continue;
      }
      const wa::Bytes message = std::move(queue_.front());
      queue_.pop_front();
      queued_ -= message.size();
      AbortAfter(write_limit_, kWriteLimit);
      const auto [error, size] = co_await ws_.async_write(asio::buffer(message), kToken);
      write_limit_.cancel();
      if (error) break;
    }
    if (!ended_ && closing_) co_await ws_.async_close(websocket::close_code::normal, kToken);
    Abort();
  }

  const WhatsAppServer server_;
  websocket::stream<Stream> ws_;
  const std::shared_ptr<LookUp> look_up_;
  asio::steady_timer limit_;        // of Open, later of Close
  asio::steady_timer wake_;         // cancelled when there is something to write
  asio::steady_timer write_limit_;  // of the message that is being written
  std::array<std::uint8_t, kReadSize> buffer_;
  std::deque<wa::Bytes> queue_;
  std::size_t queued_ = 0;  // bytes
  bool open_ = false, closing_ = false, ended_ = false, text_reported_ = false;
};

}  // namespace

absl::StatusOr<std::shared_ptr<WhatsAppSocket>> MakeWhatsAppSocket(asio::any_io_executor executor,
                                                                   const WhatsAppServer& server) {
  Plain plain(std::move(executor));
  if (server.tls == nullptr) return std::make_shared<Socket<Plain>>(std::move(plain), server);
  try {
    return std::make_shared<Socket<Tls>>(Tls(std::move(plain), *server.tls), server);
  } catch (const boost::system::system_error&) {
    return Lost("OpenSSL cannot make a TLS connection");
  }
}

wa::CloseCause CauseOf(const absl::Status& error) {
  if (error.code() == absl::StatusCode::kFailedPrecondition) return wa::CloseCause::kRefused;
  if (error.code() == absl::StatusCode::kPermissionDenied) return wa::CloseCause::kUntrusted;
  return wa::CloseCause::kLost;
}

}  // namespace medidesk::gateway::net
