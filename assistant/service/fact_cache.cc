#include "assistant/service/fact_cache.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "base/log.h"

namespace medidesk::assistant {

namespace asio = boost::asio;
using namespace std::chrono_literals;

FactCache::FactCache(rpc::Dispatcher::Executor executor, const rpc::Channel& store, Options options)
    : strand_(asio::make_strand(executor)), knowledge_(store), options_(std::move(options)) {
  Set(store::v1::GetFactsResponse());
}

FactCache::~FactCache() { Stop(); }

void FactCache::Start() {
  done_ = asio::co_spawn(strand_, Follow(), asio::bind_cancellation_slot(cancel_.slot(), asio::use_future));
}

void FactCache::Stop() {
  if (!done_.valid()) return;
  asio::post(strand_, [this] { cancel_.emit(asio::cancellation_type::all); });
  try {
    done_.get();
  } catch (const boost::system::system_error&) {  // cancelled
  }
}

std::shared_ptr<const SiteFacts> FactCache::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void FactCache::Set(store::v1::GetFactsResponse facts) {
  auto site = std::make_shared<SiteFacts>();
  const store::v1::Hospital& hospital = facts.hospital();
  site->contacts = {
      .emergency_number = hospital.emergency_number().empty() ? options_.emergency_number : hospital.emergency_number(),
      .crisis_line = hospital.crisis_line().empty() ? options_.crisis_line : hospital.crisis_line(),
      .emergency_address = hospital.emergency_address(),
      .emergency_phone = hospital.phone()};
  site->prompt = MakeStablePrompt(FactBook::Make(std::move(facts)), options_.context);
  const std::lock_guard lock(mutex_);
  current_ = std::move(site);
}

asio::awaitable<absl::Status> FactCache::Load() {
  const store::v1::GetFactsRequest request;
  const rpc::CallOptions options = rpc::Within(10s);
  auto facts = co_await knowledge_.Call(MD_METHOD(GetFacts), request, options);
  if (!facts.ok()) co_return facts.status();
  log::Info("facts_loaded",
            {{"revision", facts->revision()}, {"faqs", facts->faqs_size()}, {"doctors", facts->doctors_size()}});
  Set(*std::move(facts));
  loaded_ = true;
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> FactCache::FollowOnce() {
  const store::v1::KnowledgeServiceWatchRequest request;
  auto revisions = knowledge_.Stream(MD_METHOD(Watch), request, rpc::CallOptions());
  while (true) {
    auto next = co_await revisions.Next();
    if (!next.ok()) co_return next.status();
    if (!*next) co_return absl::OkStatus();
    const absl::Status loaded = co_await Load();
    if (!loaded.ok()) co_return loaded;
  }
}

asio::awaitable<void> FactCache::Follow() {
  asio::steady_timer pause(strand_);
  std::chrono::milliseconds wait = 100ms;
  bool told = false;
  while (true) {
    const auto start = std::chrono::steady_clock::now();
    const absl::Status status = co_await FollowOnce();
    if (std::chrono::steady_clock::now() - start > 5s) {
      wait = 100ms;
      told = false;
    }
    if (!status.ok() && status.code() != absl::StatusCode::kCancelled && !told) {
      log::Warning("facts_unreachable", {{"code", static_cast<int>(status.code())}});
      told = true;
    }
    pause.expires_after(wait);
    co_await pause.async_wait(asio::use_awaitable);
    wait = std::min(wait * 2, std::chrono::milliseconds(1000));
  }
}

}  // namespace medidesk::assistant
