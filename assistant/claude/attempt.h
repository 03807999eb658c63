// One request to the Messages API and what became of it. Internal to this folder.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "assistant/claude/client.h"
#include "assistant/claude/connection_pool.h"
#include "assistant/claude/messages.h"
#include "assistant/claude/retry.h"
#include "assistant/claude/timing.h"

namespace medidesk::assistant::claude {

struct Attempt {
  Verdict verdict;  // trouble kNone: `response` is whole
  int status = 0;   // HTTP; 0 = no answer
  ApiError error;   // what the API said
  std::string request_id;
  Response response;
  absl::Status refused_by_caller;  // on_text's error
};

// How a streamed answer is handed on.
struct TextSink {
  const OnText& on_text;
  Deadline after_text;  // replaces the attempt's deadline once text was passed: no retry can follow
  bool passed = false;  // set when on_text was called
};

class Api {
 public:
  Api(std::unique_ptr<ConnectionPool> pool, ApiKey key, Timing timing);

  // POST /v1/messages. `sink` null: one JSON answer; else `body` must ask for a stream.
  boost::asio::awaitable<Attempt> Post(std::string body, Deadline deadline, TextSink* sink);
  // The body of a 200 answer to GET `target`.
  boost::asio::awaitable<absl::StatusOr<std::string>> Get(std::string target, Deadline deadline);

 private:
  HttpRequest Build(std::string method, std::string target, std::string body) const;
  boost::asio::awaitable<void> ReadStream(ConnectionPool::Answer& answer, Deadline deadline, TextSink& sink,
                                          Attempt& out);

  std::unique_ptr<ConnectionPool> pool_;
  ApiKey key_;
  Timing timing_;
};

}  // namespace medidesk::assistant::claude
