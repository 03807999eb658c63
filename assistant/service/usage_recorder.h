// Adds up what the models have used and tells the store of it a few times a minute, for the reports.
//
// No answer waits for it or fails by it: a call only adds to sums in memory, at most 20 models of them. While
// the store cannot be reached the sums grow on; what was on its way is sent again under its commit id, and so
// counted once. Lost is what a crash leaves untold, and, counted in `dropped`, what the store refuses or what is
// still untold at the end of Stop().
//
// Thread-safe. Start() once; Stop() before what it was given goes away.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>
#include <prometheus/counter.h>

#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "assistant/claude/price_list.h"
#include "base/rpc/client.h"
#include "base/rpc/dispatcher.h"
#include "medidesk/store/v1/report.grpc.pb.h"

namespace medidesk::assistant {

class UsageRecorder {
 public:
  struct Options {
    claude::PriceList prices;
    std::chrono::milliseconds every{15'000};
    std::chrono::milliseconds patience{5'000};    // with one call
    std::chrono::milliseconds last_words{1'500};  // with each of the at most two calls of Stop()
  };
  static constexpr std::size_t kMaxModels = 20;  // in one call; further ones are summed up as "other"

  // `dropped` counts requests to a model.
  UsageRecorder(rpc::Dispatcher::Executor executor, const rpc::Channel& store, prometheus::Counter& dropped,
                Options options);
  ~UsageRecorder();

  // One request to `model`. `usable`: it gave an answer.
  void Add(std::string_view model, bool usable, const claude::Usage& usage);

  void Start();
  void Stop();

 private:
  struct Sum {
    std::int64_t requests = 0, failed = 0;
    claude::Usage usage;
    double micro_usd = 0;
  };
  boost::asio::awaitable<void> Tell();
  boost::asio::awaitable<void> TellOnce(std::chrono::milliseconds patience);
  boost::asio::awaitable<void> TellTheRest();
  void Drop(absl::StatusCode code);

  const boost::asio::strand<rpc::Dispatcher::Executor> strand_;
  const rpc::Client<store::v1::ReportService> reports_;
  prometheus::Counter& dropped_;
  const Options options_;
  std::mutex mutex_;
  std::map<std::string, Sum, std::less<>> sums_;  // under mutex_
  store::v1::RecordModelUsageRequest sending_;    // on strand_; without models: nothing
  boost::asio::cancellation_signal cancel_;       // on strand_
  std::future<void> done_;
};

}  // namespace medidesk::assistant
