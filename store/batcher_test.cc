// Group commit over a real pool: who goes with whom, and who fails alone.
#include "store/batcher.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <string>

#include "base/io_threads.h"
#include "store/testing/test_database.h"

namespace medidesk::store {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

struct Call {
  std::string name;
  bool done = false;
};
const std::string& KeyOf(const Call& call) { return call.name; }

class BatcherTest : public ::testing::Test {
 protected:
  // The first batch waits until Release(), so that what comes after it gathers.
  void Make(Batcher<Call>::Options options) {
    // What is no test of patience must not depend on it.
    if (options.patience == Batcher<Call>::Options{}.patience) options.patience = 1h;
    batcher_ = std::make_shared<Batcher<Call>>(
        pool_, "test", options,
        [this](DbConnection& connection, std::span<Call* const> calls) { return RunBatch(connection, calls); });
  }
  std::future<absl::Status> Start(const std::string& name) {
    const auto deadline = DbPool::Clock::now() + 20s;
    calls_.push_back({name});
    return asio::co_spawn(io_.executor(), batcher_->Run(deadline, calls_.back()), asio::use_future);
  }
  // Starts a call and waits until it is at work.
  std::future<absl::Status> StartFirst() {
    auto first = Start("first");
    started_.get_future().wait();
    return first;
  }
  void Release() { released_.set_value(); }
  // A call is on the waiting list when a job posted behind it has run: one thread runs them in order.
  void LetThemQueue() { asio::post(io_.executor(), asio::use_future).get(); }

  std::vector<std::vector<std::string>> Batches() {
    const std::lock_guard lock(mutex_);
    return batches_;
  }

 private:
  std::vector<Call*> RunBatch(DbConnection& connection, std::span<Call* const> calls) {
    bool first = false;
    std::vector<std::string> names;
    for (const Call* call : calls) names.push_back(call->name);
    {
      const std::lock_guard lock(mutex_);
      first = batches_.empty();
      batches_.push_back(names);
    }
    if (first) {
      started_.set_value();
      released_.get_future().wait();
    }
    pqxx::nontransaction session(connection);
    std::vector<Call*> undone;
    for (Call* call : calls) {
      if (call->name == "odd" && calls.size() > 1) {
        undone.push_back(call);
      } else {
        session.exec(call->name == "poison" ? "select 1/0" : "select 1");
        call->done = true;
      }
    }
    return undone;
  }

 protected:
  testing::TestDatabase database_{/*migrate=*/false};
  prometheus::Registry registry_;
  StoreMetrics metrics_{registry_};
  IoThreads io_{1};
  std::deque<Call> calls_;
  std::mutex mutex_;
  std::vector<std::vector<std::string>> batches_;  // under mutex_
  std::promise<void> started_, released_;
  DbPool pool_{{.url = Phi(database_.url()), .connections = 4, .role = ""}, metrics_};
  std::shared_ptr<Batcher<Call>> batcher_;
};

TEST_F(BatcherTest, SendsTogetherWhatCameMeanwhile) {
  Make({.max_size = 3});
  auto first = StartFirst();
  std::vector<std::future<absl::Status>> later;
  for (const char* name : {"a", "b", "c", "d"}) later.push_back(Start(name));
  LetThemQueue();
  Release();
  EXPECT_TRUE(first.get().ok());
  for (auto& call : later) EXPECT_TRUE(call.get().ok());
  EXPECT_THAT(Batches(), ElementsAre(ElementsAre("first"), ElementsAre("a", "b", "c"), ElementsAre("d")));
}

TEST_F(BatcherTest, DoesNotWaitForABatchThatTakesLong) {
  Make({.patience = 1ms});
  auto first = StartFirst();
  EXPECT_TRUE(Start("second").get().ok()) << "the first batch is still at work";
  EXPECT_TRUE(Start("third").get().ok());
  Release();
  EXPECT_TRUE(first.get().ok());
}

TEST_F(BatcherTest, LetsWhatABatchLeftUndoneFollowAlone) {
  Make({});
  auto first = StartFirst();
  auto odd = Start("odd");
  auto plain = Start("plain");
  LetThemQueue();
  Release();
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(odd.get().ok());
  EXPECT_TRUE(plain.get().ok());
  EXPECT_TRUE(calls_[1].done);
  EXPECT_THAT(Batches(), ElementsAre(ElementsAre("first"), ElementsAre("odd", "plain"), ElementsAre("odd")));
}

TEST_F(BatcherTest, KeepsEqualKeysApartAndInOrder) {
  Make({});
  auto first = StartFirst();
  std::vector<std::future<absl::Status>> later;
  for (const char* name : {"a", "a", "b", "a"}) later.push_back(Start(name));
  LetThemQueue();
  Release();
  EXPECT_TRUE(first.get().ok());
  for (auto& call : later) EXPECT_TRUE(call.get().ok());
  EXPECT_THAT(Batches(), ElementsAre(ElementsAre("first"), ElementsAre("a", "b"), ElementsAre("a"), ElementsAre("a")));
}

TEST_F(BatcherTest, LetsAPoisonousCallFailAlone) {
  Make({});
  auto first = StartFirst();
  auto good = Start("good");
  auto poison = Start("poison");
  auto better = Start("better");
  LetThemQueue();
  Release();
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(good.get().ok());
  EXPECT_TRUE(better.get().ok());
  EXPECT_EQ(poison.get().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(Batches(), UnorderedElementsAre(ElementsAre("first"), ElementsAre("good", "poison", "better"),
                                              ElementsAre("good"), ElementsAre("poison"), ElementsAre("better")));
}

TEST_F(BatcherTest, RefusesMoreThanItsQueueHolds) {
  Make({.max_waiting = 2});
  auto first = StartFirst();
  auto a = Start("a");
  auto b = Start("b");
  EXPECT_EQ(Start("c").get().code(), absl::StatusCode::kResourceExhausted);
  Release();
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(a.get().ok());
  EXPECT_TRUE(b.get().ok());
}

}  // namespace
}  // namespace medidesk::store
