#include "gateway/service/number_writer.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <deque>
#include <functional>
#include <optional>

#include "base/rpc/error_details.h"
#include "base/status.h"

namespace medidesk::gateway {
namespace {

namespace asio = boost::asio;
namespace v1 = store::v1;

constexpr char kKey[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
constexpr char kNumber[] = "018f3c5e-0000-7000-8000-000000000001";

absl::Status Lost() {
  return rpc::WithReason(Error(absl::StatusCode::kFailedPrecondition, "another gateway owns it"), "LEASE_LOST");
}

class NumberWriterTest : public ::testing::Test {
 protected:
  using Outcome = absl::StatusOr<v1::CommitBatchResponse>;

  NumberWriterTest() {
    NumberWriter::Options options;
    options.number_id = kNumber;
    options.lease_token = 7;
    options.revision = 100;
    options.keys = keys_;
    options.call = [this](v1::CommitBatchRequest request) { return Answer(std::move(request)); };
    options.on_lost = [this](const absl::Status& status) { lost_.push_back(rpc::Reason(status)); };
    options.metrics = &metrics_;
    options.first_pause = options.longest_pause = std::chrono::milliseconds(1);
    writer_ = std::make_shared<NumberWriter>(io_.get_executor(), std::move(options));
  }
  ~NumberWriterTest() override {
    writer_->Close();
    Run();
  }

  // A store that applies a batch, unless `script_` has something else for it.
  asio::awaitable<Outcome> Answer(v1::CommitBatchRequest request) {
    requests_.push_back(request);
    while (held_) {
      asio::steady_timer timer(io_, std::chrono::milliseconds(1));
      co_await timer.async_wait(asio::use_awaitable);
    }
    if (!script_.empty()) {
      const auto next = std::move(script_.front());
      script_.pop_front();
      co_return next(request);
    }
    co_return Apply(request);
  }
  static Outcome Apply(const v1::CommitBatchRequest& request) {
    v1::CommitBatchResponse response;
    for (const v1::Operation& operation : request.operations()) {
      v1::OperationResult* result = response.add_results();
      if (operation.has_mark_delivery())
        result->mutable_mark_delivery()->set_reply_id(operation.mark_delivery().stanza_id());
    }
    response.set_revision(request.first_revision() + request.operations_size() - 1);
    return response;
  }
  void Next(absl::Status status) {
    script_.push_back([status](const v1::CommitBatchRequest&) -> Outcome { return status; });
  }

  static NumberWrite Mark(const std::string& stanza_id) {
    NumberWrite write;
    write.operations.emplace_back().mutable_mark_delivery()->set_stanza_id(stanza_id);
    return write;
  }
  static NumberWrite Put(const std::string& key, std::size_t size = 8) {
    NumberWrite write;
    write.changes.puts.push_back(
        {.name = {.kind = wa::RecordKind::kSession, .key = key}, .value = wa::Bytes(size, 'x')});
    return write;
  }

  // Starts a commit; its outcome goes to `outcomes_` at this place.
  void Start(NumberWrite write) {
    const std::size_t at = outcomes_.size();
    outcomes_.emplace_back();
    auto work = [](NumberWriterTest* self, NumberWrite write, std::size_t at) -> asio::awaitable<void> {
      self->outcomes_[at] = co_await self->writer_->Commit(std::move(write));
    };
    asio::co_spawn(io_, work(this, std::move(write), at), asio::detached);
  }
  asio::awaitable<void> Prepared(NumberWriter::Prepare prepare,
                                 std::optional<absl::StatusOr<NumberWriter::Results>>* outcome) {
    *outcome = co_await writer_->CommitPrepared(std::move(prepare));
  }
  void Run() {
    io_.restart();
    io_.run_for(std::chrono::seconds(20));
  }
  absl::StatusOr<NumberWriter::Results> Commit(NumberWrite write) {
    Start(std::move(write));
    Run();
    return outcomes_.back().value();
  }
  std::vector<std::string> Stanzas(std::size_t request) const {
    std::vector<std::string> ids;
    for (const auto& operation : requests_.at(request).operations())
      ids.push_back(operation.mark_delivery().stanza_id());
    return ids;
  }

  asio::io_context io_{1};
  std::shared_ptr<const SealingKeys> keys_ =
      std::make_shared<const SealingKeys>(SealingKeys::Parse(kKey, SystemEntropy()).value());
  prometheus::Registry registry_;
  GatewayMetrics metrics_{registry_};
  std::shared_ptr<NumberWriter> writer_;
  std::vector<v1::CommitBatchRequest> requests_;
  std::deque<std::function<Outcome(const v1::CommitBatchRequest&)>> script_;
  std::deque<std::optional<absl::StatusOr<NumberWriter::Results>>> outcomes_;
  std::vector<std::string> lost_;
  bool held_ = false;
};

TEST_F(NumberWriterTest, SealsEveryRecordUnderTheRevisionThatItGets) {
  NumberWrite write = Put("a");
  write.changes.wipes = {wa::RecordKind::kPreKey};
  write.changes.deletes = {{.kind = wa::RecordKind::kRetry, .key = "r"}};
  write.operations = Mark("id").operations;
  const auto results = Commit(std::move(write));
  ASSERT_TRUE(results.ok()) << Text(results.status());
  ASSERT_EQ(results->size(), 1u) << "one for each operation, none for records";
  EXPECT_EQ((*results)[0].mark_delivery().reply_id(), "id");
  ASSERT_EQ(requests_.size(), 1u);
  const v1::CommitBatchRequest& request = requests_[0];
  EXPECT_EQ(request.number_id(), kNumber);
  EXPECT_EQ(request.lease_token(), 7);
  EXPECT_EQ(request.first_revision(), 101);
  ASSERT_EQ(request.operations_size(), 4);
  EXPECT_TRUE(request.operations(0).delete_device_state().all());
  EXPECT_EQ(request.operations(1).delete_device_state().key(), "r");
  EXPECT_TRUE(request.operations(3).has_mark_delivery()) << "after the records that it rests on";
  const v1::DeviceRecord& record = request.operations(2).put_device_state().record();
  const SealedName name{
      .number_id = kNumber, .record = {.kind = wa::RecordKind::kSession, .key = "a"}, .revision = 103};
  EXPECT_EQ(keys_->Open(name, wa::AsBytes(record.sealed())).value(), wa::Bytes(8, 'x'));
}

TEST_F(NumberWriterTest, GathersWhatComesWhileABatchIsInFlight) {
  held_ = true;
  for (const char* id : {"1", "2", "3"}) Start(Mark(id));
  asio::steady_timer release(io_, std::chrono::milliseconds(20));
  release.async_wait([this](boost::system::error_code) { held_ = false; });
  Run();
  ASSERT_EQ(requests_.size(), 2u);
  EXPECT_EQ(Stanzas(0), std::vector<std::string>({"1"}));
  EXPECT_EQ(Stanzas(1), std::vector<std::string>({"2", "3"}));
  EXPECT_EQ(requests_[1].first_revision(), 102);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(outcomes_[i]->value().at(0).mark_delivery().reply_id(), std::to_string(i + 1));
  }
}

TEST_F(NumberWriterTest, AsksAgainUnderTheSameIdWhileTheOutcomeIsUnknown) {
  Next(Error(absl::StatusCode::kUnavailable, "cut"));
  Next(Error(absl::StatusCode::kDeadlineExceeded, "late"));
  Next(Error(absl::StatusCode::kResourceExhausted, "full"));
  Next(Error(absl::StatusCode::kInternal, "oops"));
  ASSERT_TRUE(Commit(Put("a")).ok());
  ASSERT_EQ(requests_.size(), 5u);
  for (const auto& request : requests_) EXPECT_EQ(request.SerializeAsString(), requests_[0].SerializeAsString());
  EXPECT_EQ(metrics_.commit_retries.Value(), 4);
  ASSERT_TRUE(Commit(Put("b")).ok());
  EXPECT_NE(requests_[5].commit_id(), requests_[0].commit_id());
  EXPECT_EQ(requests_[5].first_revision(), 102);
}

TEST_F(NumberWriterTest, StartsNothingElseWhileAnOutcomeIsUnknown) {
  Next(Error(absl::StatusCode::kUnavailable, "cut"));
  Next(Error(absl::StatusCode::kUnavailable, "cut"));
  Start(Mark("1"));
  Start(Mark("2"));
  Run();
  ASSERT_EQ(requests_.size(), 4u);
  EXPECT_EQ(Stanzas(2), std::vector<std::string>({"1"}));
  EXPECT_EQ(Stanzas(3), std::vector<std::string>({"2"}));
}

TEST_F(NumberWriterTest, FindsOutWhoseFaultARefusalWas) {
  held_ = true;
  for (const char* id : {"0", "1", "bad", "3"}) Start(Mark(id));
  const auto refuse_bad = [](const v1::CommitBatchRequest& request) -> Outcome {
    for (const auto& operation : request.operations()) {
      if (operation.mark_delivery().stanza_id() == "bad") return Error(absl::StatusCode::kInvalidArgument, "malformed");
    }
    return Apply(request);
  };
  for (int i = 0; i < 5; ++i) script_.push_back(refuse_bad);
  asio::steady_timer release(io_, std::chrono::milliseconds(20));
  release.async_wait([this](boost::system::error_code) { held_ = false; });
  Run();
  EXPECT_TRUE(outcomes_[0]->ok());
  EXPECT_TRUE(outcomes_[1]->ok());
  EXPECT_EQ(outcomes_[2]->status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(outcomes_[3]->ok());
  ASSERT_EQ(requests_.size(), 5u) << "0; then 1, bad and 3 together; then each of them";
  EXPECT_EQ(requests_[4].first_revision(), 103);
  EXPECT_TRUE(lost_.empty());
}

TEST_F(NumberWriterTest, EndsWhenTheLeaseIsLost) {
  Next(Lost());
  Start(Mark("1"));
  Start(Mark("2"));
  Run();
  EXPECT_EQ(rpc::Reason(outcomes_[0]->status()), "LEASE_LOST");
  EXPECT_EQ(rpc::Reason(outcomes_[1]->status()), "LEASE_LOST");
  EXPECT_EQ(requests_.size(), 1u) << "nothing more is asked";
  EXPECT_EQ(rpc::Reason(Commit(Mark("3")).status()), "LEASE_LOST");
  EXPECT_EQ(requests_.size(), 1u);
  EXPECT_EQ(lost_, std::vector<std::string>({"LEASE_LOST"}));
}

TEST_F(NumberWriterTest, EndsOnceWhenToldFromOutside) {
  writer_->Lose(Lost());
  writer_->Lose(Lost());
  EXPECT_EQ(rpc::Reason(Commit(Mark("1")).status()), "LEASE_LOST");
  EXPECT_TRUE(requests_.empty());
  EXPECT_EQ(lost_.size(), 1u);
}

TEST_F(NumberWriterTest, GivesABatchUpThatTheStoreFailsAtAgainAndAgain) {
  for (int i = 0; i < NumberWriter::kMaxInternal; ++i) Next(Error(absl::StatusCode::kInternal, "oops"));
  EXPECT_EQ(Commit(Mark("1")).status().code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(Commit(Mark("2")).ok());
  EXPECT_EQ(requests_.back().first_revision(), 101);
}

TEST_F(NumberWriterTest, KeepsABatchWithinTheStoresBounds) {
  held_ = true;
  Start(Mark("first"));
  for (int i = 0; i < 8; ++i) Start(Put(std::to_string(i), 500u << 10));
  for (int i = 0; i < 600; ++i) Start(Mark("m"));
  asio::steady_timer release(io_, std::chrono::milliseconds(20));
  release.async_wait([this](boost::system::error_code) { held_ = false; });
  Run();
  for (const auto& request : requests_) {
    EXPECT_LE(request.operations_size(), NumberWriter::kMaxOperations);
    EXPECT_LE(request.ByteSizeLong(), 3u << 20);
  }
  for (const auto& outcome : outcomes_) EXPECT_TRUE(outcome->ok());
}

TEST_F(NumberWriterTest, RefusesAWriteThatNoBatchCanHoldAndTooManyThatWait) {
  EXPECT_EQ(Commit(Put("a", 3u << 20)).status().code(), absl::StatusCode::kInvalidArgument);
  NumberWrite many;
  for (int i = 0; i <= NumberWriter::kMaxOperations; ++i) many.operations.emplace_back();
  EXPECT_EQ(Commit(std::move(many)).status().code(), absl::StatusCode::kInvalidArgument);
  held_ = true;
  for (int i = 0; i < 20; ++i) Start(Put(std::to_string(i), 2u << 20));
  asio::steady_timer release(io_, std::chrono::milliseconds(50));
  release.async_wait([this](boost::system::error_code) { held_ = false; });
  Run();
  EXPECT_EQ(outcomes_.back()->status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(outcomes_[2]->ok());
}

TEST_F(NumberWriterTest, WritesNothingForAnEmptyWrite) {
  EXPECT_TRUE(Commit(NumberWrite()).ok());
  EXPECT_TRUE(requests_.empty());
}

TEST_F(NumberWriterTest, PreparesAWriteWhileNothingElseIsUnderWay) {
  held_ = true;
  Start(Mark("before"));
  std::optional<absl::StatusOr<NumberWriter::Results>> outcome;
  std::size_t seen = 0;
  NumberWriter::Prepare prepare = [&]() -> asio::awaitable<absl::StatusOr<NumberWrite>> {
    seen = requests_.size();
    EXPECT_FALSE(held_) << "what was asked before is stored";
    co_return Put("prepared");
  };
  asio::co_spawn(io_, Prepared(std::move(prepare), &outcome), asio::detached);
  asio::steady_timer later(io_, std::chrono::milliseconds(10));
  later.async_wait([this](boost::system::error_code) { Start(Mark("after")); });
  asio::steady_timer release(io_, std::chrono::milliseconds(20));
  release.async_wait([this](boost::system::error_code) { held_ = false; });
  Run();
  ASSERT_TRUE(outcome && outcome->ok());
  EXPECT_EQ(seen, 1u);
  ASSERT_EQ(requests_.size(), 3u);
  EXPECT_EQ(requests_[1].operations(0).put_device_state().record().key(), "prepared");
  EXPECT_EQ(Stanzas(2), std::vector<std::string>({"after"}));
}

TEST_F(NumberWriterTest, LetsGoOfEverybodyWhenItIsClosed) {
  held_ = true;
  Start(Mark("1"));
  Start(Mark("2"));
  Next(Error(absl::StatusCode::kUnavailable, "cut"));
  asio::steady_timer close(io_, std::chrono::milliseconds(10));
  close.async_wait([this](boost::system::error_code) {
    writer_->Close();
    held_ = false;
  });
  Run();
  EXPECT_EQ(outcomes_[0]->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(outcomes_[1]->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(requests_.size(), 1u);
  EXPECT_TRUE(lost_.empty()) << "not the store's word";
}

TEST_F(NumberWriterTest, DoesNotTrustAnAnswerOfAnotherShape) {
  script_.push_back([](const v1::CommitBatchRequest&) -> Outcome { return v1::CommitBatchResponse(); });
  EXPECT_EQ(Commit(Mark("1")).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(Commit(Mark("2")).ok()) << "what is stored is no longer known";
}

}  // namespace
}  // namespace medidesk::gateway
