// Keep-alive connections to the one host of the Claude API, bounded in number.
//
//   StatusOr<Answer> answer = co_await pool.Send(request, deadline);
//   answer->head.status ... co_await answer->ReadSome(deadline) until it gives an empty string
//
// At most `max_connections` exchanges run, at most `max_waiting` callers wait for one, in order;
// the next gets RESOURCE_EXHAUSTED. A connection goes back when its answer was read to the end,
// else it is closed: after an error, a cancellation, or when an Answer is dropped half read. A
// reused connection that dies before its first byte of answer is replaced once, at once.
//
// Thread-safe as a whole. One exchange belongs to one coroutine, whose executor must be a strand
// or a loop with one thread. Cancelling that coroutine is safe at every moment. The pool must
// outlive nothing: answers under way keep what they need.
//
// Errors: UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL as in connection.h; CANCELLED.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "assistant/claude/http_message.h"
#include "assistant/claude/timing.h"
#include "base/status.h"

namespace medidesk::assistant::claude {

class Connection;

class ConnectionPool {
 public:
  struct Options {
    Origin origin;
    std::size_t max_connections = 64;
    std::size_t max_waiting = 256;
    std::chrono::milliseconds connect_timeout = std::chrono::seconds(5);
    std::chrono::milliseconds first_byte_timeout = std::chrono::seconds(15);
    std::chrono::milliseconds silence_timeout = std::chrono::seconds(30);  // inside a body
    std::chrono::milliseconds keep_idle = std::chrono::seconds(55);
    std::uint64_t max_body = 8u << 20;  // bytes of one answer
    std::string ca_file;                // PEM, trusted beside the system's; may be empty
    std::function<Clock::time_point()> now = [] { return Clock::now(); };
  };
  struct Stats {
    std::size_t in_use = 0, idle = 0, waiting = 0;
    std::uint64_t opened = 0;  // connections ever made
  };
  class Core;  // shared by the pool and the exchanges under way

  // One answer. Movable; drop it to give the connection up.
  class Answer {
   public:
    HttpHead head;

    Answer(std::shared_ptr<Core> core, std::unique_ptr<Connection> connection);
    Answer(Answer&&) noexcept;
    Answer& operator=(Answer&&) = delete;
    ~Answer();

    // The next bytes of the body; empty at its end, which also returns the connection.
    boost::asio::awaitable<absl::StatusOr<std::string>> ReadSome(Deadline deadline);
    // The rest of the body as one string.
    boost::asio::awaitable<absl::StatusOr<std::string>> ReadAll(Deadline deadline);

   private:
    std::shared_ptr<Core> core_;
    std::unique_ptr<Connection> connection_;
  };

  // FAILED_PRECONDITION when `ca_file` cannot be read.
  static absl::StatusOr<std::unique_ptr<ConnectionPool>> Make(boost::asio::any_io_executor executor, Options options);
  ~ConnectionPool();

  boost::asio::awaitable<absl::StatusOr<Answer>> Send(HttpRequest request, Deadline deadline);

  Stats stats() const;

 private:
  explicit ConnectionPool(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace medidesk::assistant::claude
