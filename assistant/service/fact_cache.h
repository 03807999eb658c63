// The hospital's facts in memory, as new as the store's: KnowledgeService.Watch says when they
// change. Until the first load there are none, and answers say so.
//
// Thread-safe. Start() once; Stop() before what it was given goes away.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>

#include "assistant/context/context_builder.h"
#include "base/rpc/client.h"
#include "base/rpc/dispatcher.h"
#include "medidesk/store/v1/knowledge.grpc.pb.h"
#include "safety/texts.h"

namespace medidesk::assistant {

struct SiteFacts {
  std::shared_ptr<const StablePrompt> prompt;
  safety::SiteContacts contacts;
};

class FactCache {
 public:
  struct Options {
    ContextOptions context;
    // Of the site, where the hospital's file has none.
    std::string emergency_number, crisis_line;
  };
  FactCache(rpc::Dispatcher::Executor executor, const rpc::Channel& store, Options options);
  ~FactCache();

  void Start();
  void Stop();

  // Never null.
  std::shared_ptr<const SiteFacts> Current() const;
  // True once facts were loaded.
  bool loaded() const { return loaded_.load(); }

 private:
  boost::asio::awaitable<void> Follow();
  boost::asio::awaitable<absl::Status> Load();
  boost::asio::awaitable<absl::Status> FollowOnce();
  void Set(store::v1::GetFactsResponse facts);

  const boost::asio::strand<rpc::Dispatcher::Executor> strand_;
  rpc::Client<store::v1::KnowledgeService> knowledge_;
  const Options options_;
  mutable std::mutex mutex_;
  std::shared_ptr<const SiteFacts> current_;  // under mutex_
  std::atomic<bool> loaded_{false};
  boost::asio::cancellation_signal cancel_;  // on strand_
  std::future<void> done_;
};

}  // namespace medidesk::assistant
