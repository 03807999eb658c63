#include "admin/feed/redis_feed.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <charconv>

#include "base/log.h"

namespace medidesk::admin {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using store::v1::WatchEventsResponse;

constexpr milliseconds kRedisTimeout{2'000}, kFirstPause{250}, kLongestPause{5'000};

// "<xid>.<id>" as the store writes it.
std::optional<StreamId> IdOf(std::string_view position) {
  StreamId id;
  const char* const end = position.data() + position.size();
  const auto first = std::from_chars(position.data(), end, id.first);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, id.second);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return id;
}

// RESOURCE_KIND_TURN -> turn
std::string ShortName(std::string name, std::size_t prefix) {
  name.erase(0, prefix);
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return name;
}

RedisConnection::Fields FieldsOf(const store::v1::Event& event) {
  RedisConnection::Fields fields = {
      {"id", event.id()},
      {"time", google::protobuf::util::TimeUtil::ToString(event.create_time())},
      {"resource", ShortName(ResourceKind_Name(event.resource()), sizeof("RESOURCE_KIND_") - 1)},
      {"resource_id", event.resource_id()},
      {"action", ShortName(AuditAction_Name(event.action()), sizeof("AUDIT_ACTION_") - 1)},
  };
  for (const auto& [name, value] :
       {std::pair<const char*, const std::string&>("conversation_id", event.conversation_id()),
        {"number_id", event.number_id()},
        {"state", event.state()},
        {"detail_code", event.detail_code()},
        {"trace_id", event.trace_id()}}) {
    if (!value.empty()) fields.emplace_back(name, value);
  }
  return fields;
}

prometheus::Counter& Count(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

void RedisFeedConfig::Register(FlagSet& flags) {
  flags.Add("redis_url", &redis_url, "Redis that gets the event feed, redis://...; empty: no feed");
  flags.Add("redis_stream", &redis_stream, "stream of that feed");
  flags.Add("redis_entries", &redis_entries, "entries that the stream keeps, about", {.min = 100, .max = 100'000'000});
}

absl::Status RedisFeedConfig::Check() const {
  if (redis_url.empty()) return absl::OkStatus();
  if (redis_stream.empty() || redis_stream.size() > 200) {
    return Error(absl::StatusCode::kInvalidArgument, "--redis_stream: expected a name of 1 to 200 characters");
  }
  return RedisAddress::Parse(redis_url).status();
}

std::unique_ptr<RedisFeed> RedisFeed::Start(const RedisFeedConfig& config, const rpc::Channel& store,
                                            prometheus::Registry& registry) {
  if (config.redis_url.empty()) return nullptr;
  auto address = RedisAddress::Parse(config.redis_url);
  if (!address.ok()) return nullptr;
  std::unique_ptr<RedisFeed> feed(new RedisFeed(config, *std::move(address), store, registry));
  feed->done_ = asio::co_spawn(feed->io_.executor(), feed->Run(),
                               asio::bind_cancellation_slot(feed->cancel_.slot(), asio::use_future));
  return feed;
}

RedisFeed::RedisFeed(const RedisFeedConfig& config, RedisAddress address, const rpc::Channel& store,
                     prometheus::Registry& registry)
    : config_(config),
      address_(std::move(address)),
      store_(store),
      events_(Count(registry, "medidesk_admin_feed_events_total", "Events given to Redis.")),
      repeated_(Count(registry, "medidesk_admin_feed_repeated_total", "Events that another process had given.")),
      connected_(prometheus::BuildGauge()
                     .Name("medidesk_admin_feed_connected")
                     .Help("1 while events flow to Redis.")
                     .Register(registry)
                     .Add({})) {}

RedisFeed::~RedisFeed() {
  asio::post(io_.executor(), [this] { cancel_.emit(asio::cancellation_type::all); });
  try {
    done_.get();
  } catch (const boost::system::system_error&) {  // cancelled
  }
  io_.Stop();
}

absl::Status RedisFeed::Append(RedisConnection& redis, const WatchEventsResponse& message) {
  const auto id = IdOf(message.position());
  if (!id) return Error(absl::StatusCode::kInternal, "the store gave a position that is none");
  RedisConnection::Fields fields = FieldsOf(message.event());
  if (gap_) fields.emplace_back("gap", "1");
  MD_ASSIGN_OR_RETURN(const bool added, redis.Add(config_.redis_stream, config_.redis_entries, *id, fields));
  (added ? events_ : repeated_).Increment();
  if (added) gap_ = false;
  return absl::OkStatus();
}

asio::awaitable<absl::Status> RedisFeed::Relay() {
  MD_ASSIGN_OR_CO_RETURN(const auto redis, RedisConnection::Open(address_, kRedisTimeout));
  MD_ASSIGN_OR_CO_RETURN(const auto last, redis->LastId(config_.redis_stream));
  store::v1::WatchEventsRequest request;
  if (last && !gap_) request.set_after_position(fmt::format("{}.{}", last->first, last->second));
  for (const auto kind : {store::v1::RESOURCE_KIND_CONVERSATION, store::v1::RESOURCE_KIND_MESSAGE,
                          store::v1::RESOURCE_KIND_TURN, store::v1::RESOURCE_KIND_REPLY, store::v1::RESOURCE_KIND_TASK,
                          store::v1::RESOURCE_KIND_CONTACT, store::v1::RESOURCE_KIND_NUMBER}) {
    request.add_resources(kind);
  }
  auto events = store_.Stream(MD_METHOD(WatchEvents), request, rpc::CallOptions());
  while (true) {
    auto next = co_await events.Next();
    if (absl::IsOutOfRange(next.status())) gap_ = true;  // the next round starts from now
    if (!next.ok()) co_return next.status();
    if (!*next) co_return Error(absl::StatusCode::kUnavailable, "the store ended the stream");
    worked_ = true;
    connected_.Set(1);
    if (!(*next)->has_event()) continue;  // a sign of life
    const absl::Status appended = Append(*redis, **next);
    if (!appended.ok()) co_return appended;
  }
}

asio::awaitable<void> RedisFeed::Run() {
  asio::steady_timer timer(io_.executor());
  milliseconds pause = kFirstPause;
  absl::StatusCode told = absl::StatusCode::kOk;
  while (true) {
    worked_ = false;
    const absl::Status status = co_await Relay();
    connected_.Set(0);
    if (worked_) {
      pause = kFirstPause;
      told = absl::StatusCode::kOk;
    }
    if (status.code() != told && !absl::IsCancelled(status)) {
      told = status.code();
      log::Warning("feed_interrupted", {{"reason", log::Public(Text(status))}, {"gap", gap_}});
    }
    timer.expires_after(pause);
    co_await timer.async_wait(asio::use_awaitable);
    pause = std::min(pause * 2, kLongestPause);
  }
}

}  // namespace medidesk::admin
