// Tells every open dashboard what happens, as server-sent events: ids and states, never a text.
//
//   GET /desk/events      event: change
//                         data: {"resource":"RESOURCE_KIND_MESSAGE","conversationId":"...","state":"",...}
//
//                         event: lost      something was missed: read the lists again
//                         data: {}
//
// One stream of the store serves all browsers. A comment every 10 s keeps proxies from closing; a session is looked
// at again every 30 s, so a dashboard whose account was disabled goes silent. At most kMaxReaders at once, then 503.
//
// Start() once; Stop() before what it was given goes away, not on the event loop. Thread-safe.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "admin/api/rest/caller.h"
#include "admin/api/rest/rpc_backend.h"
#include "admin/http/router.h"
#include "base/rpc/dispatcher.h"

namespace medidesk::admin {

class EventFeed {
 public:
  static constexpr int kMaxReaders = 120;
  static constexpr std::size_t kKept = 1000;  // events that a slow reader may lag behind

  EventFeed(rpc::Dispatcher::Executor executor, rest::RpcBackend& backend, rest::SessionChecker& sessions);
  ~EventFeed();

  void AddRoutes(http::Router& router);
  void Start();
  // Ends the browsers' streams, so that the server can stop.
  void EndStreams() { stopping_ = true; }
  void Stop();

 private:
  struct Batch {
    std::vector<std::string> events;  // as they are sent
    bool lost = false;
  };

  boost::asio::awaitable<void> Follow();
  boost::asio::awaitable<void> FollowOnce();
  void Publish(std::string event);
  // What came after `*next`, which is moved on.
  Batch After(std::uint64_t* next);
  boost::asio::awaitable<http::Response> Open(http::Request& request);
  boost::asio::awaitable<bool> Send(http::Request& request, std::uint64_t next, http::BodyWriter& out);

  const boost::asio::strand<rpc::Dispatcher::Executor> strand_;
  rest::RpcBackend& backend_;
  rest::SessionChecker& sessions_;
  boost::asio::cancellation_signal cancel_;
  std::future<void> done_;
  std::atomic<int> readers_{0};
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  std::deque<std::string> kept_;  // under mutex_
  std::uint64_t first_ = 0;       // under mutex_: number of kept_.front()
  std::string position_;          // of the last event; of the follower alone
};

}  // namespace medidesk::admin
