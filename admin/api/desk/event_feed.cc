#include "admin/api/desk/event_feed.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>

#include "admin/api/rest/rest_error.h"
#include "admin/api/rest/transcoder.h"
#include "medidesk/store/v1/audit.pb.h"

namespace medidesk::admin {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using rest::MessagePtr;

namespace {

constexpr auto kLook = 150ms;    // how soon a browser hears of what the store has told
constexpr auto kComment = 10s;   // a sign of life
constexpr auto kRecheck = 30s;   // of the session
constexpr auto kAgain = 1000ms;  // after the store's stream broke

asio::awaitable<void> Pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

const google::protobuf::MethodDescriptor& WatchEvents() {
  static const auto* const method = store::v1::WatchEventsRequest::descriptor()
                                        ->file()
                                        ->FindServiceByName("AuditService")
                                        ->FindMethodByName("WatchEvents");
  return *method;
}

// Counts one reader for as long as it lives.
class Place {
 public:
  explicit Place(std::atomic<int>& count) : count_(&count) { ++*count_; }
  ~Place() { --*count_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::atomic<int>* count_;
};

}  // namespace

EventFeed::EventFeed(rpc::Dispatcher::Executor executor, rest::RpcBackend& backend, rest::SessionChecker& sessions)
    : strand_(asio::make_strand(executor)), backend_(backend), sessions_(sessions) {}

EventFeed::~EventFeed() { Stop(); }

void EventFeed::AddRoutes(http::Router& router) {
  router.Add("GET", "/desk/events", [this](http::Request& request) { return Open(request); });
}

void EventFeed::Start() {
  done_ = asio::co_spawn(strand_, Follow(), asio::bind_cancellation_slot(cancel_.slot(), asio::use_future));
}

void EventFeed::Stop() {
  stopping_ = true;
  if (!done_.valid()) return;
  asio::post(strand_, [this] { cancel_.emit(asio::cancellation_type::all); });
  try {
    done_.get();
  } catch (const boost::system::system_error&) {  // cancelled
  }
}

asio::awaitable<void> EventFeed::Follow() {
  while (true) {
    co_await FollowOnce();
    co_await Pause(kAgain);
  }
}

asio::awaitable<void> EventFeed::FollowOnce() {
  auto request = std::make_unique<store::v1::WatchEventsRequest>();
  request->set_after_position(position_);
  rest::CallContext context{.timeout = std::chrono::hours(24), .trace = TraceContext::New()};
  MessagePtr message = std::move(request);
  const std::unique_ptr<rest::MessageStream> stream =
      backend_.Stream(WatchEvents(), std::move(message), std::move(context));
  while (true) {
    const absl::StatusOr<MessagePtr> next = co_await stream->Next();
    if (!next.ok() || *next == nullptr) {
      // Too old a position, or one of a database that was restored: whoever looks reads anew.
      if (next.status().code() == absl::StatusCode::kOutOfRange) {
        position_.clear();
        Publish("event: lost\ndata: {}\n\n");
      }
      co_return;
    }
    const auto& told = dynamic_cast<const store::v1::WatchEventsResponse&>(**next);
    position_ = told.position();
    if (!told.has_event()) continue;
    const absl::StatusOr<std::string> json = rest::WriteJson(told.event());
    if (json.ok()) Publish("event: change\ndata: " + *json + "\n\n");
  }
}

void EventFeed::Publish(std::string event) {
  const std::lock_guard lock(mutex_);
  kept_.push_back(std::move(event));
  if (kept_.size() > kKept) {
    kept_.pop_front();
    ++first_;
  }
}

EventFeed::Batch EventFeed::After(std::uint64_t* next) {
  const std::lock_guard lock(mutex_);
  Batch batch;
  const std::uint64_t end = first_ + kept_.size();
  if (*next < first_) {
    batch.lost = true;
  } else {
    for (std::uint64_t i = *next; i < end; ++i) batch.events.push_back(kept_[i - first_]);
  }
  *next = end;
  return batch;
}

asio::awaitable<http::Response> EventFeed::Open(http::Request& request) {
  const absl::StatusOr<rest::Principal> who = co_await sessions_.Check(request, /*changes=*/false);
  if (!who.ok()) {
    co_return who.status().code() == absl::StatusCode::kUnauthenticated ? rest::ErrorAs(401, who.status())
                                                                        : rest::ErrorOf(request, who.status());
  }
  if (readers_ >= kMaxReaders || stopping_) {
    co_return rest::ErrorAs(503, Error(absl::StatusCode::kResourceExhausted, "too many dashboards are open"));
  }
  std::uint64_t next = 0;
  {
    const std::lock_guard lock(mutex_);
    next = first_ + kept_.size();
  }
  http::Response answer;
  answer.content_type = "text/event-stream";
  answer.Add("cache-control", "no-store");
  answer.Add("x-content-type-options", "nosniff");
  answer.Add("x-accel-buffering", "no");
  answer.stream = [this, next, &request](http::BodyWriter& out) { return Send(request, next, out); };
  co_return answer;
}

asio::awaitable<bool> EventFeed::Send(http::Request& request, std::uint64_t next, http::BodyWriter& out) {
  const Place place(readers_);
  auto last_word = std::chrono::steady_clock::now(), last_check = last_word;
  // At once, so that the page knows that it is connected.
  std::string text = "retry: 2000\nevent: open\ndata: {}\n\n";
  while (!stopping_) {
    if (!text.empty()) {
      if (!co_await out.Write(text)) co_return false;
      last_word = std::chrono::steady_clock::now();
      text.clear();
    }
    co_await Pause(kLook);
    Batch batch = After(&next);
    if (batch.lost) text = "event: lost\ndata: {}\n\n";
    for (const std::string& event : batch.events) text += event;
    const auto now = std::chrono::steady_clock::now();
    if (text.empty() && now - last_word > kComment) text = ": here\n\n";
    if (now - last_check > kRecheck) {
      last_check = now;
      const absl::StatusOr<rest::Principal> who = co_await sessions_.Check(request, /*changes=*/false);
      if (who.status().code() == absl::StatusCode::kUnauthenticated) {
        text = "event: ended\ndata: {}\n\n";
        co_return co_await out.Write(text);
      }
    }
  }
  co_return true;
}

}  // namespace medidesk::admin
