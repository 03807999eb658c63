// Closes a socket when a phase takes too long. Internal to this folder.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <memory>

namespace medidesk::assistant::claude {

// Belongs to one coroutine: Arm() and destruction happen on `executor`, and so does the closing.
// After destruction the socket is never touched, whatever timer is still under way.
class Watchdog {
 public:
  Watchdog(boost::asio::any_io_executor executor, boost::asio::ip::tcp::socket& socket)
      : timer_(std::move(executor)), state_(std::make_shared<State>()) {
    state_->socket = &socket;
  }
  ~Watchdog() { state_->socket = nullptr; }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Starts a phase of at most `limit`; it replaces the one before.
  void Arm(std::chrono::steady_clock::duration limit) {
    timer_.expires_after(limit);
    timer_.async_wait([state = state_, phase = ++state_->phase](boost::system::error_code error) {
      if (error || state->phase != phase || state->socket == nullptr) return;
      state->fired = true;
      boost::system::error_code ignored;
      state->socket->close(ignored);
    });
  }

  // True once a phase was too long: the socket is closed.
  bool fired() const { return state_->fired; }

 private:
  struct State {
    boost::asio::ip::tcp::socket* socket = nullptr;
    std::uint64_t phase = 0;
    bool fired = false;
  };
  boost::asio::steady_timer timer_;
  std::shared_ptr<State> state_;
};

}  // namespace medidesk::assistant::claude
