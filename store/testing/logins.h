// Logins of a test's cluster beside its superuser, and the store at work as one of them. Roles belong to the
// whole cluster: tests make them once and share them.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>

#include <string>

#include "base/io_threads.h"
#include "store/conversation_repository.h"
#include "store/db_pool.h"
#include "store/service/conversation_service.h"
#include "store/testing/test_database.h"

namespace medidesk::store::testing {

// The database's URL for another login, whose password is its name.
inline std::string UrlOf(const TestDatabase& database, const std::string& login) {
  const std::string& url = database.url();
  const std::size_t begin = url.find("://") + 3, at = url.find('@', begin);
  return url.substr(0, begin) + login + ":" + login + url.substr(at);
}

inline void MakeRole(TestDatabase& database, const std::string& name, const std::string& attributes) {
  database.Admin(
      fmt::format("do $$ begin create role {} {}; exception when duplicate_object or unique_violation then "
                  "null; end $$",
                  name, attributes));
  database.Admin(fmt::format("alter role {} {}", name, attributes));
}

// A message through the store's own service, connected as `url` says. The status of what was refused.
inline absl::Status AnswerOneMessage(const std::string& url) {
  using namespace std::chrono_literals;
  prometheus::Registry registry;
  StoreMetrics metrics(registry);
  IoThreads io(1);
  DbPool pool({.url = Phi(url), .connections = 1}, metrics);
  ConversationRepository repository(pool, {.webhook_number = "", .claim = 5s});
  rpc::Dispatcher dispatcher(io.executor(), registry, {.service = "store"});
  ConversationService service(dispatcher, repository, {});
  rpc::Call call;
  call.deadline = rpc::Call::Clock::now() + 20s;
  v1::AcceptRequest accept;
  accept.set_commit_id(NewUuid());
  accept.set_route(v1::ROUTE_WEBHOOK);
  accept.set_phone("+15550100077");
  accept.set_whatsapp_message_id(NewUuid());
  accept.set_text("hello");
  const auto run = [&](auto work) { return asio::co_spawn(io.executor(), std::move(work), asio::use_future).get(); };
  const auto accepted = run(service.Accept(call, accept));
  if (!accepted.ok()) return accepted.status();
  v1::CommitReplyRequest commit;
  commit.set_turn_id(accepted->turn().id());
  commit.set_commit_id(NewUuid());
  commit.set_origin(v1::REPLY_ORIGIN_BOT);
  commit.set_text("hi");
  commit.set_source("test");
  return run(service.CommitReply(call, commit)).status();
}

}  // namespace medidesk::store::testing
