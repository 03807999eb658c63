// A server on 127.0.0.1 that plays the API for tests: it reads one request after the other and
// answers each with the next queued reply. Without one it stalls.
//
// Runs on the given io_context; not thread-safe. Connections end with the io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "assistant/claude/http_message.h"

namespace medidesk::assistant::claude::testing {

struct PeerReply {
  enum class After { kKeep, kClose, kReset, kStall };
  std::vector<std::string> pieces;  // written one by one
  After after = After::kKeep;
};

using ExtraHeaders = std::vector<std::pair<std::string, std::string>>;

// A whole answer with Content-Length, on a connection that is kept.
PeerReply JsonReply(int status, std::string_view body, const ExtraHeaders& headers = {});
// An event stream in chunks, one per frame ("event: ..\ndata: ..\n\n").
PeerReply SseReply(const std::vector<std::string>& frames, bool finish = true);
std::string SseFrame(std::string_view name, std::string_view data);
PeerReply CloseWithoutAByte();
PeerReply Stall();

class ScriptedPeer {
 public:
  struct Seen {
    std::string method, target, body;
    HttpHeaders headers;
    int connection = 0;  // counted from 1
  };

  // `tls`, when set, must outlive the io_context's handlers.
  explicit ScriptedPeer(boost::asio::io_context& io, boost::asio::ssl::context* tls = nullptr);
  ~ScriptedPeer();

  void Enqueue(PeerReply reply);
  const std::vector<Seen>& requests() const;
  int connections() const;
  // Connections the client has closed.
  int closed() const;
  std::size_t unused_replies() const;
  std::string base_url(std::string_view host = "127.0.0.1") const;
  // Called after each request was read.
  void OnRequest(std::function<void()> callback);

 private:
  struct State;
  template <class Stream>
  static boost::asio::awaitable<void> Serve(std::shared_ptr<State> state, Stream stream, int number);
  static boost::asio::awaitable<void> Accept(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace medidesk::assistant::claude::testing
