// A migrated database with the store's pool over it, and what most tests of its services need.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/io_threads.h"
#include "base/rpc/serve.h"
#include "base/uuid.h"
#include "medidesk/store/v1/common.pb.h"
#include "store/service/conversation_service.h"
#include "store/testing/test_database.h"

namespace medidesk::store::testing {

// What a streaming handler wrote. `keep_on` is asked after each message; false plays a peer that left.
template <class Response>
class CollectedStream final : public rpc::StreamWriter<Response> {
 public:
  std::vector<Response> messages;
  std::function<bool(const Response&)> keep_on = [](const Response&) { return true; };

  asio::awaitable<bool> Write(Response message) override {
    messages.push_back(std::move(message));
    co_return keep_on(messages.back());
  }
};

class StoreFixture : public ::testing::Test {
 protected:
  StoreFixture()
      : metrics_(registry_),
        io_(2),
        pool_({.url = Phi(database_.url()), .connections = 4}, metrics_),
        repository_(pool_, {}),
        dispatcher_(io_.executor(), registry_, {.service = "store"}),
        conversations_(dispatcher_, repository_, {}) {
    call_.deadline = rpc::Call::Clock::now() + std::chrono::seconds(60);
  }

  template <class T>
  T Wait(asio::awaitable<T> work) {
    return asio::co_spawn(io_.executor(), std::move(work), asio::use_future).get();
  }
  static v1::Actor Operator() {
    v1::Actor actor;
    actor.set_kind(v1::ACTOR_KIND_OPERATOR);
    return actor;
  }
  static v1::Actor Service() {
    v1::Actor actor;
    actor.set_kind(v1::ACTOR_KIND_SERVICE);
    actor.set_id("assistant");
    return actor;
  }
  static v1::Actor Staff(const std::string& id) {
    v1::Actor actor;
    actor.set_kind(v1::ACTOR_KIND_STAFF);
    actor.set_id(id);
    actor.set_address("192.0.2.7");
    return actor;
  }

  // A patient's message by webhook; the turn is the caller's to answer.
  v1::Turn Accept(const std::string& text, const std::string& phone = "+15550100001", const std::string& name = "") {
    v1::AcceptRequest request;
    request.set_commit_id(NewUuid());
    request.set_route(v1::ROUTE_WEBHOOK);
    request.set_phone(phone);
    request.set_text(text);
    request.set_patient_name(name);
    request.mutable_verdict()->set_severity("none");
    request.mutable_verdict()->set_table_version("1");
    auto response = Wait(conversations_.Accept(call_, request));
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::AcceptResponse()).turn();
  }
  void Answer(const v1::Turn& turn, const std::string& text) {
    v1::CommitReplyRequest request;
    request.set_turn_id(turn.id());
    request.set_commit_id(NewUuid());
    request.set_origin(v1::REPLY_ORIGIN_BOT);
    request.set_text(text);
    request.set_source("test");
    const auto response = Wait(conversations_.CommitReply(call_, request));
    EXPECT_TRUE(response.ok() && response->committed());
  }
  // Until the audit sealer has sealed every row. Transactions elsewhere in the cluster hold it back.
  void Seal() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    do {
      // All rows in one seal: not before every transaction that wrote one has passed the horizon.
      if (database_.Value<int>("select count(*) from audit_log where xid >= "
                               "pg_snapshot_xmin(pg_current_snapshot())::text::bigint") > 0) {
        continue;
      }
      database_.Sql("select medidesk.seal_audit()");
      if (database_.Value<int>("select unsealed from medidesk.seal_at(1)") == 0) return;
    } while (std::chrono::steady_clock::now() < deadline);
    FAIL() << "audit rows stayed unsealed";
  }

  TestDatabase database_;
  prometheus::Registry registry_;
  StoreMetrics metrics_;
  IoThreads io_;
  DbPool pool_;
  ConversationRepository repository_;
  rpc::Dispatcher dispatcher_;
  ConversationService conversations_;
  rpc::Call call_;
};

}  // namespace medidesk::store::testing
