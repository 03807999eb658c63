#include "admin/http/server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "admin/http/server_core.h"
#include "admin/http/tls.h"
#include "base/log.h"

namespace medidesk::http {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
// How long a server that stops still takes connections: a balancer hears of the stop when we do, and what it sent
// before is answered.
constexpr std::chrono::milliseconds kLeave{300};
constexpr std::chrono::milliseconds kAcceptPause{20};  // when full, or out of file descriptors

std::chrono::milliseconds SweepInterval(const Server::Options& options) {
  const auto shortest = std::min({options.idle_timeout, options.read_timeout, options.write_timeout,
                                  options.handshake_timeout, options.linger_timeout});
  return std::clamp<std::chrono::milliseconds>(shortest / 4, std::chrono::milliseconds(5), std::chrono::seconds(1));
}

// For co_spawn: an exception here is a broken invariant.
void Rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

}  // namespace

bool IsLoopbackAddress(std::string_view address) {
  if (address == "localhost") return true;
  boost::system::error_code error;
  const asio::ip::address parsed = asio::ip::make_address(std::string(address), error);
  return !error && parsed.is_loopback();
}

Server::Core::Core(asio::io_context::executor_type executor, Options options_in, Router router_in)
    : executor(executor),
      options(std::move(options_in)),
      router(std::move(router_in)),
      strand(asio::make_strand(executor)),
      acceptor(strand),
      sweep_timer(strand),
      body_budget(options.body_budget) {}

void Server::Core::Register(ConnectionBase* connection) {
  const std::lock_guard lock(mutex_);
  all_.insert(connection);
}

void Server::Core::Unregister(ConnectionBase* connection) {
  const std::lock_guard lock(mutex_);
  all_.erase(connection);
  --connections;
}

void Server::Core::CloseAll(bool only_idle) {
  const std::lock_guard lock(mutex_);
  for (ConnectionBase* connection : all_) connection->Close(only_idle);
}

bool Server::Core::CloseLongestIdle() {
  const std::lock_guard lock(mutex_);
  ConnectionBase* longest = nullptr;
  for (ConnectionBase* connection : all_) {
    if (!connection->idle()) continue;
    if (longest == nullptr || connection->deadline() < longest->deadline()) longest = connection;
  }
  if (longest != nullptr) longest->Close(/*only_idle=*/true);
  return longest != nullptr;
}

asio::awaitable<void> Server::Core::Accept() {
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Strand> pause(strand);
  bool complained = false;
  while (!stopping) {
    if (connections >= options.max_connections) {
      // Room is made for somebody who waits, not beforehand.
      co_await acceptor.async_wait(asio::socket_base::wait_read, kTuple);
      if (stopping) break;
      CloseLongestIdle();
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(kTuple);
      continue;
    }
    auto [error, socket] = co_await acceptor.async_accept(asio::make_strand(executor), kTuple);
    if (stopping) break;
    if (error) {
      if (error == asio::error::connection_aborted) continue;
      if (!complained) log::Warning("http_accept_failed", {{"errno", error.value()}});
      complained = true;  // once: while descriptors are short this repeats 50 times a second
      CloseLongestIdle();
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(kTuple);
      continue;
    }
    complained = false;
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    ++connections;
    StartConnection(shared_from_this(), std::move(socket));
  }
}

asio::awaitable<void> Server::Core::Sweep() {
  const std::chrono::milliseconds interval = SweepInterval(options);
  while (!stopping || connections > 0) {
    sweep_timer.expires_after(interval);
    const auto [error] = co_await sweep_timer.async_wait(kTuple);
    if (error) break;
    const Clock::time_point now = Clock::now();
    const std::lock_guard lock(mutex_);
    for (ConnectionBase* connection : all_) {
      if (connection->deadline() <= now) connection->Close(/*only_idle=*/false);
    }
  }
}

asio::awaitable<void> Server::Core::Drain(std::chrono::milliseconds grace) {
  const Clock::time_point end = Clock::now() + grace;
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Strand> pause(strand);
  leaving = true;
  pause.expires_after(std::min(kLeave, grace / 4));
  co_await pause.async_wait(kTuple);
  stopping = true;
  boost::system::error_code ignored;
  acceptor.close(ignored);
  CloseAll(/*only_idle=*/true);
  while (connections > 0 && Clock::now() < end) {
    pause.expires_after(std::chrono::milliseconds(5));
    co_await pause.async_wait(kTuple);
  }
  CloseAll(/*only_idle=*/false);
  sweep_timer.cancel();
}

Server::Server(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Server::~Server() {
  asio::post(core_->strand, [core = core_] {
    core->stopping = true;
    boost::system::error_code ignored;
    core->acceptor.close(ignored);
    core->CloseAll(/*only_idle=*/false);
    core->sweep_timer.cancel();
  });
}

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(asio::io_context::executor_type executor, Options options,
                                                       Router router) {
  boost::system::error_code error;
  const std::string literal = options.address == "localhost" ? "127.0.0.1" : options.address;
  const asio::ip::address address = asio::ip::make_address(literal, error);
  if (error) {
    return medidesk::Error(absl::StatusCode::kInvalidArgument, "HTTP address: expected an IPv4 or IPv6 address");
  }
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return medidesk::Error(absl::StatusCode::kInvalidArgument, "HTTP TLS: give both the certificate and the key");
  }
  auto core = std::make_shared<Core>(executor, std::move(options), std::move(router));
  if (!core->options.tls_cert.empty()) {
    MD_ASSIGN_OR_RETURN(core->tls, MakeServerTls(core->options.tls_cert, core->options.tls_key));
  }
  const tcp::endpoint endpoint(address, core->options.port);
  core->acceptor.open(endpoint.protocol(), error);
  if (!error) core->acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) core->acceptor.bind(endpoint, error);
  if (!error) core->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return medidesk::Error(absl::StatusCode::kUnavailable,
                           fmt::format("HTTP port {}: cannot listen ({}); choose another or stop what uses it",
                                       core->options.port, error.message()));
  }
  core->port = core->acceptor.local_endpoint(error).port();
  // The coroutines hold the core; the lambdas keep nothing else.
  asio::co_spawn(
      core->strand, [core]() -> asio::awaitable<void> { co_await core->Accept(); }, Rethrow);
  asio::co_spawn(
      core->strand, [core]() -> asio::awaitable<void> { co_await core->Sweep(); }, Rethrow);
  return std::unique_ptr<Server>(new Server(std::move(core)));
}

std::uint16_t Server::port() const { return core_->port; }
int Server::connections() const { return core_->connections; }
int Server::in_flight() const { return core_->in_flight; }

asio::awaitable<void> Server::Stop(std::chrono::milliseconds grace) {
  const std::shared_ptr<Core> core = core_;
  asio::awaitable<void> drain = core->Drain(grace);
  co_await asio::co_spawn(core->strand, std::move(drain), asio::use_awaitable);
}

}  // namespace medidesk::http
