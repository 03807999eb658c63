#include "assistant/service/usage_recorder.h"

#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <memory>
#include <thread>

#include "assistant/service/testing/fake_reports.h"
#include "base/io_threads.h"
#include "base/rpc/server.h"

namespace medidesk::assistant::testing {
namespace {

using namespace std::chrono_literals;

class UsageRecorderTest : public ::testing::Test {
 protected:
  UsageRecorderTest()
      : io_(2), dispatcher_(io_.executor(), registry_, {.service = "store"}), reports_(dispatcher_), server_(Serve()) {
    UsageRecorder::Options options;
    options.prices = *claude::PriceList::Parse("small=1/5");
    options.every = 5ms;
    recorder_ = std::make_unique<UsageRecorder>(io_.executor(), server_->InProcessChannel(), dropped_, options);
  }
  void TearDown() override {
    recorder_.reset();
    server_->Shutdown(0ms);
  }
  std::unique_ptr<rpc::Server> Serve() {
    std::vector<grpc::Service*> services = {&reports_};
    auto server = rpc::Server::Start(dispatcher_, std::move(services), {});
    if (!server.ok()) std::abort();
    return *std::move(server);
  }
  template <class Condition>
  static bool Eventually(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(2ms);
    }
    return true;
  }

  const claude::Usage usage_{
      .input_tokens = 100, .output_tokens = 10, .cache_read_tokens = 1000, .cache_write_tokens = 20};
  IoThreads io_;
  prometheus::Registry registry_;
  prometheus::Counter dropped_;
  rpc::Dispatcher dispatcher_;
  FakeReports reports_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<UsageRecorder> recorder_;
};

TEST_F(UsageRecorderTest, TellsTheStoreWhatEachModelUsed) {
  recorder_->Start();
  recorder_->Add("small", true, usage_);
  recorder_->Add("small", false, {});
  recorder_->Add("unpriced", true, usage_);
  ASSERT_TRUE(
      Eventually([&] { return reports_.Of("small").requests() == 2 && reports_.Of("unpriced").requests() == 1; }));
  const store::v1::ModelUsageRow row = reports_.Of("small");
  EXPECT_EQ(row.failed_requests(), 1);
  EXPECT_EQ(row.input_tokens(), 100);
  EXPECT_EQ(row.output_tokens(), 10);
  EXPECT_EQ(row.cache_read_tokens(), 1000);
  EXPECT_EQ(row.cache_write_tokens(), 20);
  EXPECT_EQ(row.cost_micro_usd(), 100 + 100 + 40 + 50);
  EXPECT_EQ(reports_.Of("unpriced").cost_micro_usd(), 0);
  const int calls = reports_.calls;
  recorder_->Stop();
  EXPECT_EQ(reports_.calls, calls) << "nothing used, nothing told";
  EXPECT_EQ(dropped_.Value(), 0);
}

TEST_F(UsageRecorderTest, CountsOnceWhatItHasToSayAgain) {
  reports_.lose_answers = true;
  recorder_->Start();
  recorder_->Add("small", true, usage_);
  ASSERT_TRUE(Eventually([&] { return reports_.calls >= 3; }));
  recorder_->Add("small", true, usage_);
  reports_.lose_answers = false;
  ASSERT_TRUE(Eventually([&] { return reports_.Of("small").requests() == 2; }));
  recorder_->Stop();
  EXPECT_EQ(reports_.Of("small").requests(), 2);
  EXPECT_EQ(reports_.Of("small").input_tokens(), 200);
  EXPECT_EQ(dropped_.Value(), 0);
}

TEST_F(UsageRecorderTest, KeepsAddingUpWhileTheStoreIsAway) {
  reports_.refusal = absl::StatusCode::kUnavailable;
  recorder_->Start();
  for (int i = 0; i < 1000; ++i) recorder_->Add("model-" + std::to_string(i % 100), true, usage_);
  ASSERT_TRUE(Eventually([&] { return reports_.calls >= 2; }));
  reports_.refusal = absl::StatusCode::kOk;
  ASSERT_TRUE(Eventually([&] {
    std::int64_t all = reports_.Of("other").requests();
    for (int i = 0; i < 100; ++i) all += reports_.Of("model-" + std::to_string(i)).requests();
    return all == 1000;
  })) << "nothing is lost";
  recorder_->Stop();
  EXPECT_EQ(dropped_.Value(), 0);
}

TEST_F(UsageRecorderTest, SumsUpTheModelsBeyondTheTwentieth) {
  for (int i = 0; i < 100; ++i) recorder_->Add("model-" + std::to_string(i), true, usage_);
  recorder_->Start();
  ASSERT_TRUE(Eventually([&] { return reports_.Of("other").requests() > 0; }));
  recorder_->Stop();
  EXPECT_EQ(reports_.models(), UsageRecorder::kMaxModels);
  EXPECT_EQ(reports_.Of("other").requests(), 81);
}

TEST_F(UsageRecorderTest, TellsTheRestWhenItStops) {
  recorder_ = nullptr;
  UsageRecorder rarely(io_.executor(), server_->InProcessChannel(), dropped_, {.prices = {}, .every = 24h});
  rarely.Start();
  rarely.Add("small", true, usage_);
  rarely.Stop();
  EXPECT_EQ(reports_.Of("small").requests(), 1);
  EXPECT_EQ(dropped_.Value(), 0);
}

TEST_F(UsageRecorderTest, CountsWhatIsLost) {
  reports_.refusal = absl::StatusCode::kInvalidArgument;
  recorder_->Start();
  recorder_->Add("small", true, usage_);
  recorder_->Add("small", true, usage_);
  ASSERT_TRUE(Eventually([&] { return dropped_.Value() == 2; })) << "refused for good";
  reports_.refusal = absl::StatusCode::kUnavailable;
  recorder_->Add("small", true, usage_);
  recorder_->Stop();
  EXPECT_EQ(dropped_.Value(), 3) << "untold at the end";
}

}  // namespace
}  // namespace medidesk::assistant::testing
