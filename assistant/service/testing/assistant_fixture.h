// The assistant's service over a store and a model that live in memory.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "assistant/facts/testing/small_hospital.h"
#include "assistant/service/assistant_service.h"
#include "assistant/service/testing/fake_claude.h"
#include "assistant/service/testing/fake_store.h"
#include "base/io_threads.h"
#include "base/rpc/server.h"
#include "safety/table.h"

namespace medidesk::assistant::testing {

// True as soon as `condition` holds; false after 20 s.
template <class Condition>
bool Eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// What a stream was sent.
class StreamLog final : public rpc::StreamWriter<v1::StreamReplyResponse> {
 public:
  asio::awaitable<bool> Write(v1::StreamReplyResponse message) override {
    if (message.has_result()) {
      result = message.result();
      ++results;
    } else {
      deltas.push_back(message.text_delta());
    }
    co_return true;
  }
  std::string Joined() const {
    std::string all;
    for (const std::string& delta : deltas) all += delta;
    return all;
  }

  std::vector<std::string> deltas;
  v1::ReplyResponse result;
  int results = 0;
};

class AssistantFixture : public ::testing::Test {
 protected:
  static constexpr const char* kPhone = "+15550100001";

  static store::v1::GetFactsResponse Facts() {
    store::v1::GetFactsResponse facts = SmallHospital();
    facts.mutable_hospital()->add_allowed_link_hosts("www.hill.example");
    return facts;
  }
  static TurnFlow::Options FlowOptions() {
    TurnFlow::Options options;
    options.renew = std::chrono::milliseconds(20);
    options.emergency_patience = std::chrono::milliseconds(400);
    options.commit_reserve = std::chrono::milliseconds(500);
    return options;
  }

  AssistantFixture()
      : io_(2),
        store_dispatcher_(io_.executor(), registry_, {.service = "store"}),
        conversations_(store_dispatcher_),
        experiments_(store_dispatcher_),
        knowledge_(store_dispatcher_, Facts()),
        server_(StartStore()),
        gate_(*safety::Gate::Make(safety::EmbeddedTables())),
        texts_(*safety::Texts::Make(safety::EmbeddedTexts())),
        metrics_(registry_),
        dispatcher_(io_.executor(), registry_, {.service = "assistant"}),
        facts_(io_.executor(), server_->InProcessChannel(), {}),
        with_model_(&claude_, facts_, texts_, metrics_, {}),
        flow_(server_->InProcessChannel(), gate_, texts_, facts_, with_model_, metrics_, FlowOptions()),
        service_(dispatcher_, server_->InProcessChannel(), gate_, texts_, facts_, {}) {
    service_.SetFlow(&flow_, &with_model_);
  }
  void SetUp() override {
    facts_.Start();
    ASSERT_TRUE(Eventually([&] { return facts_.loaded(); }));
  }
  void TearDown() override {
    facts_.Stop();
    server_->Shutdown(std::chrono::milliseconds(0));
  }

  template <class T>
  T Run(asio::awaitable<T> work) {
    return Spawn(std::move(work)).get();
  }
  template <class T>
  std::future<T> Spawn(asio::awaitable<T> work) {
    return asio::co_spawn(asio::make_strand(io_.executor()), std::move(work), asio::use_future);
  }

  // A call with this much time; lives as long as the fixture.
  const rpc::Call& CallFor(std::chrono::milliseconds time = std::chrono::seconds(20)) {
    calls_.push_back(std::make_unique<rpc::Call>());
    calls_.back()->deadline = rpc::Call::Clock::now() + time;
    return *calls_.back();
  }
  const v1::ReplyRequest& Ask(const std::string& text, const std::string& message_id = NewUuid()) {
    requests_.push_back(std::make_unique<v1::ReplyRequest>());
    v1::InboundText& inbound = *requests_.back()->mutable_inbound();
    inbound.set_phone(kPhone);
    inbound.set_text(text);
    inbound.set_message_id(message_id);
    inbound.set_route(store::v1::ROUTE_WEBHOOK);
    return *requests_.back();
  }
  absl::StatusOr<v1::ReplyResponse> Reply(const std::string& text, const std::string& message_id = NewUuid(),
                                          std::chrono::milliseconds time = std::chrono::seconds(20)) {
    return Run(service_.Reply(CallFor(time), Ask(text, message_id)));
  }
  absl::StatusOr<v1::ReplyResponse> ReplyToTurn(const std::string& turn_id,
                                                std::chrono::milliseconds time = std::chrono::seconds(20)) {
    v1::ReplyRequest request;
    request.set_turn_id(turn_id);
    return Run(service_.Reply(CallFor(time), request));
  }
  absl::Status Stream(const std::string& text, StreamLog& log) {
    v1::StreamReplyRequest request;
    *request.mutable_inbound() = Ask(text).inbound();
    return Run(service_.StreamReply(CallFor(), request, log));
  }
  FakeConversations::TurnRow OnlyTurn() {
    const auto turns = conversations_.turns();
    EXPECT_EQ(turns.size(), 1u);
    return turns.empty() ? FakeConversations::TurnRow() : turns[0];
  }

  IoThreads io_;
  prometheus::Registry registry_;
  rpc::Dispatcher store_dispatcher_;
  FakeConversations conversations_;
  FakeExperiments experiments_;
  FakeKnowledge knowledge_;
  std::unique_ptr<rpc::Server> server_;
  const safety::Gate gate_;
  const safety::Texts texts_;
  AssistantMetrics metrics_;
  FakeClaude claude_;
  rpc::Dispatcher dispatcher_;
  FactCache facts_;
  AnswerMaker with_model_;
  TurnFlow flow_;
  AssistantService service_;
  std::vector<std::unique_ptr<rpc::Call>> calls_;
  std::vector<std::unique_ptr<v1::ReplyRequest>> requests_;

 private:
  std::unique_ptr<rpc::Server> StartStore() {
    std::vector<grpc::Service*> services = {&conversations_, &experiments_, &knowledge_};
    auto server = rpc::Server::Start(store_dispatcher_, std::move(services), {});
    if (!server.ok()) std::abort();
    return *std::move(server);
  }
};

}  // namespace medidesk::assistant::testing
