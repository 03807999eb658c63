// What a Server shares with its connections. Internal to admin/http.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "admin/http/server.h"

namespace medidesk::http {

using Strand = boost::asio::strand<boost::asio::io_context::executor_type>;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Strand>;
using Clock = std::chrono::steady_clock;

// A connection as the sweep sees it.
class ConnectionBase : public std::enable_shared_from_this<ConnectionBase> {
 public:
  virtual ~ConnectionBase() = default;
  // Thread-safe: the closing happens on the connection's strand. `only_idle` spares a connection
  // on which a request has begun.
  virtual void Close(bool only_idle) = 0;

  Clock::time_point deadline() const { return Clock::time_point(Clock::duration(deadline_.load())); }
  bool idle() const { return idle_.load(); }

 protected:
  void SetDeadline(std::chrono::milliseconds from_now) {
    deadline_.store((Clock::now() + from_now).time_since_epoch().count());
  }
  void ClearDeadline() { deadline_.store(Clock::time_point::max().time_since_epoch().count()); }
  void SetIdle(bool idle) { idle_.store(idle); }

 private:
  std::atomic<Clock::rep> deadline_{Clock::time_point::max().time_since_epoch().count()};
  std::atomic<bool> idle_{true};
};

struct Server::Core : std::enable_shared_from_this<Server::Core> {
  Core(boost::asio::io_context::executor_type executor, Options options, Router router);

  void Register(ConnectionBase* connection);
  void Unregister(ConnectionBase* connection);
  void CloseAll(bool only_idle);
  // Closes the connection that has been idle longest; false when none is idle.
  bool CloseLongestIdle();

  // Coroutines on `strand`.
  boost::asio::awaitable<void> Accept();
  boost::asio::awaitable<void> Sweep();
  boost::asio::awaitable<void> Drain(std::chrono::milliseconds grace);

  const boost::asio::io_context::executor_type executor;
  const Options options;
  const Router router;
  const Strand strand;
  std::shared_ptr<boost::asio::ssl::context> tls;  // null: plain

  // Touched on `strand` only, after Listen().
  boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Strand> acceptor;
  boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Strand> sweep_timer;
  std::uint16_t port = 0;

  std::atomic<bool> leaving{false};   // a stop has begun: every answer is its connection's last
  std::atomic<bool> stopping{false};  // no connection and no request is taken any more
  std::atomic<int> connections{0};
  std::atomic<int> in_flight{0};
  std::atomic<std::int64_t> body_budget;

 private:
  std::mutex mutex_;
  std::unordered_set<ConnectionBase*> all_;  // under mutex_
};

// Runs one accepted connection to its end, detached on the socket's strand.
void StartConnection(std::shared_ptr<Server::Core> core, Socket socket);

}  // namespace medidesk::http
