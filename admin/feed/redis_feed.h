// Tells other systems of the hospital what happens: the store's events, ids and states without any text, as entries of
// a Redis stream.
//
//   XRANGE medidesk:events - +
//     1) "4711-1042"                                  the event's place in the store's order
//     2) id 00000000-… resource conversation resource_id 8d3a… conversation_id 8d3a… action update
//        state human_takeover detail_code takeover.staff trace_id 0af7… time 2026-11-24T10:00:00.012Z
//
// At least once and in order. The entry's id is the event's position, and Redis takes no id twice nor an older one, so
// any number of processes may relay into one stream, and one that starts anew goes on after the last entry: there is no
// state but the stream. Begins with what happens after the first start. A field `gap` says that events are missing
// before this one: the relay was away for longer than the store keeps them (7 days).
//
// Off without a URL. Runs on a thread of its own, where Redis may block it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <future>
#include <memory>
#include <string>

#include "admin/feed/redis_connection.h"
#include "base/flags.h"
#include "base/io_threads.h"
#include "base/rpc/client.h"
#include "medidesk/store/v1/audit.grpc.pb.h"

namespace medidesk::admin {

struct RedisFeedConfig {
  std::string redis_url;  // empty: no feed
  std::string redis_stream = "medidesk:events";
  int redis_entries = 100'000;  // kept, about

  void Register(FlagSet& flags);
  absl::Status Check() const;
};

class RedisFeed {
 public:
  // Null without a URL. The config has been checked.
  static std::unique_ptr<RedisFeed> Start(const RedisFeedConfig& config, const rpc::Channel& store,
                                          prometheus::Registry& registry);
  // Ends the relay; waits for a step of Redis that is under way, at most some seconds.
  ~RedisFeed();

 private:
  RedisFeed(const RedisFeedConfig& config, RedisAddress address, const rpc::Channel& store,
            prometheus::Registry& registry);

  boost::asio::awaitable<void> Run();
  boost::asio::awaitable<absl::Status> Relay();
  absl::Status Append(RedisConnection& redis, const store::v1::WatchEventsResponse& message);

  const RedisFeedConfig config_;
  const RedisAddress address_;
  const rpc::Client<store::v1::AuditService> store_;
  prometheus::Counter& events_;
  prometheus::Counter& repeated_;
  prometheus::Gauge& connected_;
  bool gap_ = false;     // events are missing before the next one
  bool worked_ = false;  // this round reached both sides
  IoThreads io_{1};
  boost::asio::cancellation_signal cancel_;
  std::future<void> done_;
};

}  // namespace medidesk::admin
