#include "admin/clients/health_monitor.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/log.h"
#include "base/rpc/error_details.h"

namespace medidesk::admin {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr int kMaxNumbers = 1'000;

// NUMBER_STATE_NEEDS_LINK -> needs_link
std::string StateText(store::v1::NumberState state) {
  std::string name = store::v1::NumberState_Name(state).substr(std::string_view("NUMBER_STATE_").size());
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

// By name; without the rows that have nothing to do with WhatsApp.
std::vector<HealthSnapshot::Number> NumbersOf(const gateway::v1::ListNumbersResponse& listed) {
  std::vector<HealthSnapshot::Number> numbers;
  for (const store::v1::Number& number : listed.numbers()) {
    if (number.state() == store::v1::NUMBER_STATE_NO_DEVICE) continue;
    const bool logged_in =
        number.state() == store::v1::NUMBER_STATE_CONNECTED || number.state() == store::v1::NUMBER_STATE_CATCHING_UP;
    numbers.push_back({.name = number.name(),
                       .user = number.device_jid(),
                       .enabled = number.enabled(),
                       .connected = logged_in && number.owner_alive(),
                       .state = StateText(number.state())});
  }
  return numbers;
}

}  // namespace

HealthMonitor::HealthMonitor(rpc::Dispatcher::Executor executor, const rpc::Channel& store,
                             const rpc::Channel& assistant, const rpc::Channel& gateway)
    : strand_(asio::make_strand(executor)), store_(store), assistant_(assistant), gateway_(gateway) {
  snapshot_.services = {{"store", false, true}, {"assistant", false, true}, {"gateway", false, false}};
}

HealthMonitor::~HealthMonitor() { Stop(); }

void HealthMonitor::Start() {
  done_ = asio::co_spawn(strand_, Watch(), asio::bind_cancellation_slot(cancel_.slot(), asio::use_future));
}

void HealthMonitor::Stop() {
  if (!done_.valid()) return;
  asio::post(strand_, [this] { cancel_.emit(asio::cancellation_type::all); });
  try {
    done_.get();
  } catch (const boost::system::system_error&) {  // cancelled
  }
}

HealthSnapshot HealthMonitor::Snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

asio::awaitable<void> HealthMonitor::Watch() {
  asio::steady_timer timer(strand_);
  while (true) {
    co_await Look();
    const HealthSnapshot now = Snapshot();
    const bool all = now.services[0].up && now.services[1].up;
    timer.expires_after(all ? 2000ms : 250ms);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> HealthMonitor::Look() {
  // A conversation that cannot exist: the answer NOT_FOUND has been to the database and back.
  store::v1::GetConversationRequest none;
  none.set_conversation_id("00000000-0000-0000-0000-000000000000");
  const rpc::CallOptions soon = rpc::Within(1500ms);
  const auto stored = co_await store_.Call(MD_METHOD(GetConversation), none, soon);
  const bool store = stored.ok() || stored.status().code() == absl::StatusCode::kNotFound;

  // An answer means that the assistant is there and has the facts.
  assistant::v1::PreviewContextRequest hello;
  hello.set_text("hello");
  const rpc::CallOptions soon_again = rpc::Within(1500ms);
  const auto preview = co_await assistant_.Call(MD_METHOD(PreviewContext), hello, soon_again);

  gateway::v1::ListNumbersRequest list;
  list.set_page_size(kMaxNumbers);
  const rpc::CallOptions last = rpc::Within(1500ms);
  const auto listed = co_await gateway_.Call(MD_METHOD(ListNumbers), list, last);
  // The gateway reads the numbers from the store: with that away it is still there itself.
  const bool gateway = listed.ok() || rpc::Reason(listed.status()) == "STORE_UNAVAILABLE";

  const std::lock_guard lock(mutex_);
  if (listed.ok()) {
    snapshot_.numbers = NumbersOf(*listed);
  } else {
    for (HealthSnapshot::Number& number : snapshot_.numbers) {
      number.connected = false;
      number.state = "unknown";
    }
  }
  const auto set = [&](std::size_t index, bool up) {
    HealthSnapshot::Service& service = snapshot_.services[index];
    if (service.up != up) log::Info("service_health", {{"service", log::Public(service.name)}, {"up", up}});
    service.up = up;
  };
  set(0, store);
  set(1, preview.ok());
  set(2, gateway);
}

}  // namespace medidesk::admin
