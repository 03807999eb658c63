// One attempt to link a number, between the number's strand, which tells what happens, and the RPC that streams it.
//
// Thread-safe.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "gateway/wa/session_action.h"

namespace medidesk::gateway {

class LinkAttempt : public std::enable_shared_from_this<LinkAttempt> {
 public:
  // Next() is called on `executor`, a strand.
  LinkAttempt(boost::asio::any_io_executor executor, std::string id, std::string number_id);

  const std::string& id() const { return id_; }
  const std::string& number_id() const { return number_id_; }

  // Events of linking; others are dropped.
  void Push(const wa::Event& event);
  // The next one. One call at a time; cancelled with its coroutine.
  boost::asio::awaitable<wa::Event> Next();

  // The phone has answered: what comes of it decides, whether anybody still listens or not.
  bool confirming() const;
  // Linked or LinkFailed has come.
  bool ended() const;
  // A passkey was asked for.
  bool passkey() const;

 private:
  const std::string id_, number_id_;
  const boost::asio::any_io_executor executor_;
  boost::asio::steady_timer wake_;  // on executor_
  mutable std::mutex mutex_;
  // Under mutex_.
  std::deque<wa::Event> events_;
  bool confirming_ = false, ended_ = false, passkey_ = false;
};

}  // namespace medidesk::gateway
