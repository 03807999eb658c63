#include "assistant/service/usage_recorder.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <cmath>
#include <utility>

#include "base/log.h"
#include "base/uuid.h"

namespace medidesk::assistant {

namespace asio = boost::asio;

UsageRecorder::UsageRecorder(rpc::Dispatcher::Executor executor, const rpc::Channel& store,
                             prometheus::Counter& dropped, Options options)
    : strand_(asio::make_strand(executor)), reports_(store), dropped_(dropped), options_(std::move(options)) {}

UsageRecorder::~UsageRecorder() { Stop(); }

void UsageRecorder::Add(std::string_view model, bool usable, const claude::Usage& usage) {
  const double micro_usd = options_.prices.MicroUsd(model, usage);
  const std::lock_guard lock(mutex_);
  auto found = sums_.find(model);
  if (found == sums_.end()) {
    found = sums_.emplace(sums_.size() + 1 < kMaxModels ? std::string(model) : std::string("other"), Sum()).first;
  }
  Sum& sum = found->second;
  ++sum.requests;
  if (!usable) ++sum.failed;
  sum.usage.input_tokens += usage.input_tokens;
  sum.usage.output_tokens += usage.output_tokens;
  sum.usage.cache_read_tokens += usage.cache_read_tokens;
  sum.usage.cache_write_tokens += usage.cache_write_tokens;
  sum.micro_usd += micro_usd;
}

void UsageRecorder::Start() {
  done_ = asio::co_spawn(strand_, Tell(), asio::bind_cancellation_slot(cancel_.slot(), asio::use_future));
}

void UsageRecorder::Stop() {
  if (!done_.valid()) return;
  asio::post(strand_, [this] { cancel_.emit(asio::cancellation_type::all); });
  try {
    done_.get();
  } catch (const boost::system::system_error&) {  // cancelled
  }
  asio::co_spawn(strand_, TellTheRest(), asio::use_future).get();
}

asio::awaitable<void> UsageRecorder::Tell() {
  asio::steady_timer pause(strand_);
  while (true) {
    pause.expires_after(options_.every);
    co_await pause.async_wait(asio::use_awaitable);
    co_await TellOnce(options_.patience);
  }
}

asio::awaitable<void> UsageRecorder::TellTheRest() {
  if (sending_.models_size() > 0) co_await TellOnce(options_.last_words);
  if (sending_.models_size() == 0) co_await TellOnce(options_.last_words);
  if (sending_.models_size() > 0) Drop(absl::StatusCode::kUnavailable);
  const std::lock_guard lock(mutex_);
  for (const auto& [model, sum] : sums_) dropped_.Increment(static_cast<double>(sum.requests));
  sums_.clear();
}

asio::awaitable<void> UsageRecorder::TellOnce(std::chrono::milliseconds patience) {
  if (sending_.models_size() == 0) {
    const std::lock_guard lock(mutex_);
    for (const auto& [model, sum] : sums_) {
      store::v1::ModelUsageRow& row = *sending_.add_models();
      row.set_model(model);
      row.set_requests(sum.requests);
      row.set_failed_requests(sum.failed);
      row.set_input_tokens(sum.usage.input_tokens);
      row.set_cache_read_tokens(sum.usage.cache_read_tokens);
      row.set_cache_write_tokens(sum.usage.cache_write_tokens);
      row.set_output_tokens(sum.usage.output_tokens);
      row.set_cost_micro_usd(std::llround(sum.micro_usd));
    }
    sums_.clear();
    if (sending_.models_size() > 0) sending_.set_commit_id(NewUuid());
  }
  if (sending_.models_size() == 0) co_return;
  const rpc::CallOptions options = rpc::Within(patience);
  const auto told = co_await reports_.Call(MD_METHOD(RecordModelUsage), sending_, options);
  if (told.ok()) {
    sending_.Clear();
  } else if (told.status().code() == absl::StatusCode::kInvalidArgument) {
    Drop(told.status().code());  // it would be refused again for ever
  }
}

void UsageRecorder::Drop(absl::StatusCode code) {
  for (const auto& row : sending_.models()) dropped_.Increment(static_cast<double>(row.requests()));
  log::Warning("usage_dropped", {{"models", sending_.models_size()}, {"code", static_cast<int>(code)}});
  sending_.Clear();
}

}  // namespace medidesk::assistant
