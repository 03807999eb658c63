// The site's emergency numbers and language, as the store's facts have them: kept in memory, so that they are there
// when the store is not.
//
// Thread-safe. Start once; Stop before the channel and the executor go away.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <memory>
#include <mutex>
#include <string>

#include "base/rpc/client.h"
#include "base/rpc/dispatcher.h"
#include "medidesk/store/v1/knowledge.grpc.pb.h"
#include "safety/texts.h"

namespace medidesk::gateway {

class SiteContacts : public std::enable_shared_from_this<SiteContacts> {
 public:
  struct Site {
    safety::SiteContacts contacts;
    std::string language = "en";
  };
  // `fallback`: of the configuration, where the facts have none.
  SiteContacts(rpc::Dispatcher::Executor executor, const rpc::Channel& store, safety::SiteContacts fallback);

  void Start();
  void Stop();
  Site Current() const;

 private:
  boost::asio::awaitable<void> Follow();

  const boost::asio::strand<rpc::Dispatcher::Executor> strand_;
  rpc::Client<store::v1::KnowledgeService> knowledge_;
  const safety::SiteContacts fallback_;
  boost::asio::steady_timer pause_;
  bool stopped_ = false;  // on the strand
  mutable std::mutex mutex_;
  Site site_;  // under mutex_
};

}  // namespace medidesk::gateway
