#include "gateway/service/bot_hub.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"

namespace medidesk::gateway {

namespace asio = boost::asio;

namespace {
constexpr std::chrono::milliseconds kFirstRetry{200}, kLongestRetry{2'000};
}

absl::StatusOr<std::shared_ptr<BotHub>> BotHub::Make(rpc::Dispatcher::Executor executor, const rpc::Channel& store,
                                                     const rpc::Channel& assistant, prometheus::Registry& registry,
                                                     Options options) {
  MD_ASSIGN_OR_RETURN(safety::Gate gate, safety::Gate::Make(safety::EmbeddedTables()));
  MD_ASSIGN_OR_RETURN(safety::Texts texts, safety::Texts::Make(safety::EmbeddedTexts()));
  return std::shared_ptr<BotHub>(
      new BotHub(executor, store, assistant, registry, std::move(options), std::move(gate), std::move(texts)));
}

BotHub::BotHub(rpc::Dispatcher::Executor executor, const rpc::Channel& store, const rpc::Channel& assistant,
               prometheus::Registry& registry, Options options, safety::Gate gate, safety::Texts texts)
    : executor_(executor),
      strand_(asio::make_strand(executor)),
      options_(std::move(options)),
      gate_(std::move(gate)),
      texts_(std::move(texts)),
      metrics_(registry),
      backend_(std::make_shared<BotBackend>(assistant, store)),
      site_(std::make_shared<SiteContacts>(executor, store, options_.contacts)),
      conversations_(store) {}

void BotHub::Start() {
  site_->Start();
  asio::co_spawn(
      strand_, [self = shared_from_this()] { return self->Follow(); },
      asio::bind_cancellation_slot(cancel_.slot(), asio::detached));
}

void BotHub::Stop() {
  site_->Stop();
  asio::post(strand_, [self = shared_from_this()] {
    self->stopped_ = true;
    self->cancel_.emit(asio::cancellation_type::all);
  });
}

std::shared_ptr<NumberLayer> BotHub::MakeLayer(std::shared_ptr<NumberPort> port) {
  NumberBot::Options options;
  options.backend = backend_;
  options.site = site_;
  // The bot's option keeps this alive, and with it what the pointers name.
  options.gate = &gate_;
  options.texts = &texts_;
  options.metrics = &metrics_;
  options.shared = shared_from_this();
  options.turns = options_.turns;
  options.limits = options_.limits;
  options.outbox = options_.outbox;
  const std::string id = port->number().id();
  auto bot = NumberBot::Make(executor_, std::move(port), std::move(options));
  const std::lock_guard lock(mutex_);
  std::erase_if(bots_, [](const auto& entry) { return entry.second.expired(); });
  bots_[id] = bot;
  return bot;
}

std::shared_ptr<NumberBot> BotHub::Find(const std::string& number_id) {
  const std::lock_guard lock(mutex_);
  const auto found = bots_.find(number_id);
  return found == bots_.end() ? nullptr : found->second.lock();
}

asio::awaitable<absl::Status> BotHub::FollowOnce() {
  const store::v1::WatchOutboxRequest request;
  auto parts = conversations_.Stream(MD_METHOD(WatchOutbox), request, rpc::CallOptions());
  while (true) {
    auto next = co_await parts.Next();
    if (!next.ok()) co_return next.status();
    if (!*next) co_return absl::OkStatus();
    const store::v1::OutboxPart& part = (*next)->part();
    const std::shared_ptr<NumberBot> bot = Find(part.number_id());
    if (bot == nullptr) continue;  // another gateway's
    if (auto waiting = WaitingPartOf(part)) bot->Deliver(*std::move(waiting));
  }
}

asio::awaitable<void> BotHub::Follow() {
  const auto self = shared_from_this();
  co_await asio::this_coro::throw_if_cancelled(false);
  asio::steady_timer pause(strand_);
  std::chrono::milliseconds wait = kFirstRetry;
  while (!stopped_) {
    const absl::Status status = co_await FollowOnce();
    if (stopped_) co_return;
    if (!status.ok() && wait == kFirstRetry) {
      log::Warning("outbox.unreachable", {{"code", static_cast<int>(status.code())}});
    }
    wait = status.ok() ? kFirstRetry : std::min(2 * wait, kLongestRetry);
    pause.expires_after(wait);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace medidesk::gateway
