// One connection, plain or TLS: read, answer, write, again.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <array>
#include <ctime>
#include <exception>
#include <optional>
#include <type_traits>

#include "admin/http/server_core.h"
#include "base/log.h"

namespace medidesk::http {

namespace asio = boost::asio;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kJoinedBody = 16u << 10;  // bytes: a body up to here travels in the head's buffer
constexpr std::size_t kKeptOutput = 64u << 10;  // bytes: what an idle connection keeps of its output buffer

using TlsStream = asio::ssl::stream<Socket>;

// One of the `max_in_flight` places, given back at the end of the scope.
class InFlight {
 public:
  InFlight(std::atomic<int>& count, int limit) : count_(count), over_(count.fetch_add(1) >= limit) {}
  ~InFlight() { count_.fetch_sub(1); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  bool over() const { return over_; }

 private:
  std::atomic<int>& count_;
  const bool over_;
};

template <class Stream>
class Connection final : public ConnectionBase, private BodyWriter {
 public:
  static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;

  Connection(std::shared_ptr<Server::Core> core, Stream stream)
      : core_(std::move(core)), stream_(std::move(stream)), reader_(core_->options.limits, &core_->body_budget) {
    boost::system::error_code error;
    const auto endpoint = stream_.lowest_layer().remote_endpoint(error);
    if (!error) peer_ = endpoint.address();
    SetDeadline(kTls ? core_->options.handshake_timeout : core_->options.idle_timeout);
    core_->Register(this);
  }
  ~Connection() override { core_->Unregister(this); }

  void Close(bool only_idle) override {
    std::shared_ptr<ConnectionBase> self = weak_from_this().lock();
    if (self == nullptr) return;  // its destructor waits for the caller's lock
    // Moved, never copied: the last reference must not die under the caller's lock.
    auto close = [self = std::move(self), this, only_idle] {
      if (only_idle && !idle()) return;
      boost::system::error_code ignored;
      stream_.lowest_layer().close(ignored);
      if (pause_) pause_->cancel();
    };
    asio::post(stream_.get_executor(), std::move(close));
  }

  asio::awaitable<void> Run() {
    if constexpr (kTls) {
      SetIdle(false);
      const auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kTuple);
      if (error) co_return;
    }
    bool refused = false;
    while (co_await ReadRequest()) {
      co_await Answer();
      refused = event_ == RequestReader::Event::kRefused;
      const bool written = co_await Write();
      if (!written || response_.close) break;
      if (response_.pause.count() > 0) co_await Pause();
      response_ = Response{};
      reader_.Reset();
    }
    if (!stream_.lowest_layer().is_open()) co_return;
    if (refused) co_await Linger();
    if constexpr (kTls) {
      SetDeadline(core_->options.linger_timeout);
      co_await stream_.async_shutdown(kTuple);
    }
  }

 private:
  // False when there is no further request to answer.
  asio::awaitable<bool> ReadRequest() {
    const bool fresh = !reader_.started();
    SetIdle(fresh);
    SetDeadline(fresh ? core_->options.idle_timeout : core_->options.read_timeout);
    if (fresh && core_->stopping) co_return false;
    for (;;) {
      event_ = reader_.Next();
      if (event_ == RequestReader::Event::kExpectsContinue) {
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        const auto [error, sent] = co_await asio::async_write(stream_, asio::buffer(kContinue), kTuple);
        if (error) co_return false;
      } else if (event_ == RequestReader::Event::kNeedMore) {
        const std::span<char> room = reader_.Prepare();
        const auto [error, size] = co_await stream_.async_read_some(asio::buffer(room.data(), room.size()), kTuple);
        if (error) co_return false;
        if (idle()) {
          SetIdle(false);
          SetDeadline(core_->options.read_timeout);  // from the first byte: a trickle does not extend it
        }
        reader_.Commit(size);
      } else {
        SetIdle(false);
        ClearDeadline();
        co_return true;
      }
    }
  }

  // Fills response_ for the request in hand.
  asio::awaitable<void> Answer() {
    Request& request = reader_.request();
    request.peer = peer_;
    request.received = Clock::now();
    std::string_view route = "other";
    bool overload = false;
    if (event_ == RequestReader::Event::kRefused) {
      const Refusal& why = reader_.refusal();
      const Router::Match match = core_->router.Find(request.method, request.path());
      if (!match.pattern.empty()) route = match.pattern;
      response_ = ErrorResponse(request, why.status, why.code, why.text);
      if (why.status == 503) response_.Add("retry-after", "1");
    } else {
      const Router::Match match = core_->router.Find(request.method, request.path());
      if (!match.pattern.empty()) route = match.pattern;
      if (match.route != nullptr) {
        if (match.route->options.counts) {
          const InFlight place(core_->in_flight, core_->options.max_in_flight);
          overload = place.over();
          if (overload) {
            response_ = RetryLater(request, 503, "OVERLOADED", "The service is busy. Please try again shortly.",
                                   std::chrono::seconds(1));
          } else {
            co_await Handle(*match.route, request);
          }
        } else {
          co_await Handle(*match.route, request);
        }
      } else if (match.allow.empty()) {
        response_ = ErrorResponse(request, 404, "NOT_FOUND", "There is nothing at this path.");
      } else {
        response_ = ErrorResponse(request, 405, "METHOD_NOT_ALLOWED", "This path does not take that method.");
        response_.Add("allow", std::string(match.allow));
      }
    }
    if (response_.stream != nullptr && !reader_.takes_chunks()) {
      response_ = ErrorResponse(request, 505, "NEEDS_HTTP_1_1", "This answer is a stream; ask with HTTP/1.1.");
    }
    if (core_->options.on_response) core_->options.on_response(request, response_);
    if (core_->options.on_answered) {
      core_->options.on_answered({route, response_.status, Clock::now() - request.received, overload});
    }
  }

  asio::awaitable<void> Handle(const Router::Route& route, Request& request) {
    bool failed = false;
    try {
      response_ = co_await route.handler(request);
    } catch (const std::exception&) {
      failed = true;  // its text may quote anything
    }
    if (failed) {
      log::Error("http_handler_threw", {{"route", log::Public(route.pattern)}, {"request", log::Public(request.id)}});
      response_ = ErrorResponse(request, 500, "INTERNAL", "Something went wrong on our side.");
    }
  }

  // False when the client took no answer.
  asio::awaitable<bool> Write() {
    if (!reader_.keep_alive() || core_->leaving) response_.close = true;
    SetDeadline(core_->options.write_timeout);
    const bool head_only = reader_.request().method == "HEAD";
    output_.clear();
    if (response_.stream != nullptr) co_return co_await WriteStream(head_only);
    AppendHead(output_, response_, reader_.request().id, !response_.close, std::time(nullptr));
    if (!head_only && response_.body.size() <= kJoinedBody) {
      output_ += response_.body;
      const auto [error, size] = co_await asio::async_write(stream_, asio::buffer(output_), kTuple);
      co_return !error;
    }
    std::array<asio::const_buffer, 2> buffers = {asio::buffer(output_), asio::const_buffer()};
    if (!head_only) buffers[1] = asio::buffer(response_.body);
    const auto [error, size] = co_await asio::async_write(stream_, buffers, kTuple);
    if (output_.capacity() > kKeptOutput) std::string().swap(output_);
    co_return !error;
  }

  // Sends the head, then what response_.stream writes. RFC 9112 section 7.1: chunks, and an empty one at
  // the end that says that the body is whole. False when it is not.
  asio::awaitable<bool> WriteStream(bool head_only) {
    // A stream keeps a place until it has ended; it had one already, so it is not refused here.
    const InFlight place(core_->in_flight, core_->options.max_in_flight);
    AppendHead(output_, response_, reader_.request().id, !response_.close, std::time(nullptr));
    const auto [error, size] = co_await asio::async_write(stream_, asio::buffer(output_), kTuple);
    if (error) co_return false;
    if (head_only) co_return true;
    bool whole = false;
    try {
      ClearDeadline();
      whole = co_await response_.stream(*this);
    } catch (const std::exception&) {  // its text may quote anything
      log::Error("http_stream_threw", {{"request", log::Public(reader_.request().id)}});
    }
    if (!whole) co_return false;
    SetDeadline(core_->options.write_timeout);
    static constexpr std::string_view kEnd = "0\r\n\r\n";
    const auto [failed, written] = co_await asio::async_write(stream_, asio::buffer(kEnd), kTuple);
    co_return !failed;
  }

  asio::awaitable<bool> Write(std::string_view bytes) override {
    if (bytes.empty()) co_return true;  // an empty chunk would end the body
    SetDeadline(core_->options.write_timeout);
    chunk_size_ = fmt::format("{:x}\r\n", bytes.size());
    const std::array<asio::const_buffer, 3> buffers = {asio::buffer(chunk_size_), asio::buffer(bytes),
                                                       asio::buffer("\r\n", 2)};
    const auto [error, size] = co_await asio::async_write(stream_, buffers, kTuple);
    ClearDeadline();
    co_return !error;
  }

  // Idle meanwhile: a server that stops, or needs room, closes it.
  asio::awaitable<void> Pause() {
    SetIdle(true);
    SetDeadline(response_.pause + std::chrono::seconds(1));  // the first to go where room is short
    pause_.emplace(stream_.get_executor(), response_.pause);
    co_await pause_->async_wait(kTuple);
    pause_.reset();
  }

  // Reads and drops what the client still sends: closing with unread bytes makes the kernel reset
  // the connection, and the client would lose the answer.
  asio::awaitable<void> Linger() {
    SetDeadline(core_->options.linger_timeout);
    boost::system::error_code ignored;
    if constexpr (!kTls) stream_.shutdown(asio::socket_base::shutdown_send, ignored);
    std::size_t left = core_->options.limits.max_drain;
    const auto scrap = std::make_unique_for_overwrite<char[]>(kKeptOutput);
    for (;;) {
      const auto [error, size] = co_await stream_.async_read_some(asio::buffer(scrap.get(), kKeptOutput), kTuple);
      if (error || size >= left) co_return;
      left -= size;
    }
  }

  const std::shared_ptr<Server::Core> core_;
  Stream stream_;
  RequestReader reader_;
  asio::ip::address peer_;
  RequestReader::Event event_ = RequestReader::Event::kNeedMore;
  Response response_;
  std::string output_;
  std::string chunk_size_;
  std::optional<asio::steady_timer> pause_;
};

template <class Stream>
void Spawn(std::shared_ptr<Server::Core> core, Stream stream) {
  const auto executor = stream.get_executor();
  auto connection = std::make_shared<Connection<Stream>>(std::move(core), std::move(stream));
  auto run = [connection]() -> asio::awaitable<void> { return connection->Run(); };
  auto done = [connection](std::exception_ptr error) {
    if (error) log::Error("http_connection_failed");
  };
  asio::co_spawn(executor, std::move(run), std::move(done));
}

}  // namespace

void StartConnection(std::shared_ptr<Server::Core> core, Socket socket) {
  if (core->tls == nullptr) {
    Spawn(std::move(core), std::move(socket));
  } else {
    TlsStream stream(std::move(socket), *core->tls);
    Spawn(std::move(core), std::move(stream));
  }
}

}  // namespace medidesk::http
