// A writer whose store falls silent, and the one that takes up what it has left.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "base/rpc/error_details.h"
#include "base/status.h"
#include "gateway/service/number_writer.h"

namespace medidesk::gateway {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace v1 = store::v1;

constexpr char kKey[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
constexpr char kOtherKey[] = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=";
constexpr char kNumber[] = "018f3c5e-0000-7000-8000-000000000001";

std::shared_ptr<const SealingKeys> KeysOf(const char* key) {
  return std::make_shared<const SealingKeys>(SealingKeys::Parse(key, SystemEntropy()).value());
}

class WriterJournalTest : public ::testing::Test {
 protected:
  using Outcome = absl::StatusOr<v1::CommitBatchResponse>;

  WriterJournalTest() {
    std::string folder = (fs::temp_directory_path() / "medidesk-writer-journal-XXXXXX").string();
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    writer_ = MakeWriter();
  }
  ~WriterJournalTest() override {
    writer_->Close();
    Run();
    fs::remove_all(folder_);
  }

  std::shared_ptr<NumberWriter> MakeWriter() {
    NumberWriter::Options options;
    options.number_id = kNumber;
    options.lease_token = token_;
    options.revision = revision_;
    options.keys = keys_;
    options.journal = std::make_shared<JournalFile>(File(), kNumber, keys_);
    options.call = [this, token = token_](v1::CommitBatchRequest request) { return Answer(token, std::move(request)); };
    options.on_lost = [this](const absl::Status& status) { lost_.push_back(rpc::Reason(status)); };
    options.metrics = &metrics_;
    options.first_pause = options.longest_pause = std::chrono::milliseconds(1);
    return std::make_shared<NumberWriter>(io_.get_executor(), std::move(options));
  }
  // The process ends as it is, and another one takes the number.
  void Crash(int leases_later = 1) {
    token_ += leases_later;  // a call of the old one that is still under way is refused
    writer_->Close();
    silent_ = false;
    Run();
    outcomes_.clear();
    writer_ = MakeWriter();
  }

  // A store that keeps to revisions and leases, as the real one does.
  asio::awaitable<Outcome> Answer(std::int64_t token, v1::CommitBatchRequest request) {
    const int call = ++calls_;
    while (silent_ || call == silent_call_) {
      asio::steady_timer timer(io_, std::chrono::milliseconds(1));
      co_await timer.async_wait(asio::use_awaitable);
    }
    if (token != token_ || request.lease_token() != token_) {
      co_return rpc::WithReason(Error(absl::StatusCode::kFailedPrecondition, "another one owns it"), "LEASE_LOST");
    }
    if (request.first_revision() != revision_ + 1) {
      co_return rpc::WithReason(Error(absl::StatusCode::kFailedPrecondition, "out of step"), "REVISION_MISMATCH");
    }
    for (const v1::Operation& operation : request.operations()) {
      if (refused_.contains(operation.mark_delivery().stanza_id())) {
        silent_ = request.operations_size() == silent_after_refusing_;
        co_return Error(absl::StatusCode::kInvalidArgument, "not this one");
      }
    }
    v1::CommitBatchResponse response;
    for (const v1::Operation& operation : request.operations()) {
      ++revision_;
      response.add_results();
      if (operation.has_mark_delivery()) stored_.push_back(operation.mark_delivery().stanza_id());
      if (operation.set_number_state().needs_attention()) attention_ = true;
      if (operation.has_delete_device_state()) {
        const auto& remove = operation.delete_device_state();
        if (remove.all()) records_.clear();
        records_.erase(remove.key());
      }
      if (operation.has_put_device_state()) {
        const v1::DeviceRecord& record = operation.put_device_state().record();
        const SealedName name{.number_id = kNumber,
                              .record = {.kind = wa::RecordKind::kSession, .key = record.key()},
                              .revision = revision_};
        const auto open = keys_->Open(name, wa::AsBytes(record.sealed()));
        EXPECT_TRUE(open.ok()) << record.key() << " is not sealed under the revision that it has";
        records_[record.key()] = open.ok() ? wa::ToString(*open) : "";
      }
    }
    response.set_revision(revision_);
    co_return response;
  }

  static NumberWrite Mark(const std::string& stanza_id) {
    NumberWrite write;
    write.operations.emplace_back().mutable_mark_delivery()->set_stanza_id(stanza_id);
    return write;
  }
  // A write with the session that it rests on.
  static NumberWrite Move(const std::string& session, const std::string& stanza_id) {
    NumberWrite write = Mark(stanza_id);
    write.changes.puts.push_back(
        {.name = {.kind = wa::RecordKind::kSession, .key = session}, .value = wa::ToBytes(stanza_id)});
    return write;
  }
  NumberWrite Urgent(const std::string& session, const std::string& stanza_id) {
    NumberWrite write = Move(session, stanza_id);
    write.patience = std::chrono::milliseconds(20);
    write.on_journaled = [this, stanza_id] { left_.push_back(stanza_id); };
    return write;
  }
  void Start(NumberWrite write) {
    const std::size_t at = outcomes_.size();
    outcomes_.emplace_back();
    auto work = [](WriterJournalTest* self, NumberWrite write, std::size_t at) -> asio::awaitable<void> {
      const auto writer = self->writer_;
      auto outcome = co_await writer->Commit(std::move(write));
      if (at < self->outcomes_.size()) self->outcomes_[at] = outcome.status();
    };
    asio::co_spawn(io_, work(this, std::move(write), at), asio::detached);
  }
  absl::Status Replayed() {
    std::optional<absl::Status> status;
    auto work = [](std::shared_ptr<NumberWriter> writer, std::optional<absl::Status>* status) -> asio::awaitable<void> {
      *status = co_await writer->Replayed();
    };
    asio::co_spawn(io_, work(writer_, &status), asio::detached);
    Run();
    return status.value();
  }
  void Run() {
    io_.restart();
    io_.run_for(std::chrono::seconds(20));
  }
  template <class Condition>
  void Until(Condition condition) {
    io_.restart();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < end) io_.run_one_for(std::chrono::milliseconds(5));
    ASSERT_TRUE(condition());
  }
  std::string File() const { return (folder_ / kNumber).string(); }

  asio::io_context io_{1};
  std::shared_ptr<const SealingKeys> keys_ = KeysOf(kKey);
  prometheus::Registry registry_;
  GatewayMetrics metrics_{registry_};
  fs::path folder_;
  std::shared_ptr<NumberWriter> writer_;
  std::int64_t token_ = 7, revision_ = 100;
  bool silent_ = false, attention_ = false;
  int silent_after_refusing_ = -1;  // a batch of so many operations
  int calls_ = 0, silent_call_ = 0;
  std::set<std::string> refused_;
  std::vector<std::string> stored_, left_, lost_;
  std::map<std::string, std::string> records_;
  std::vector<std::optional<absl::Status>> outcomes_;
};

using Strings = std::vector<std::string>;

TEST_F(WriterJournalTest, NeedsNoJournalWhileTheStoreAnswers) {
  Start(Urgent("a", "1"));
  Run();
  EXPECT_EQ(stored_, Strings{"1"});
  EXPECT_TRUE(left_.empty());
  EXPECT_FALSE(fs::exists(File()));
}

TEST_F(WriterJournalTest, LetsAWriteTakeEffectWhileTheStoreIsSilentAndStoresItOnce) {
  silent_ = true;
  Start(Move("a", "1"));
  Until([&] { return calls_ > 0; });
  Start(Move("b", "2"));
  Start(Urgent("a", "3"));
  Until([&] { return !left_.empty(); });
  EXPECT_EQ(left_, Strings{"3"});
  EXPECT_TRUE(fs::exists(File()));
  EXPECT_TRUE(stored_.empty());
  silent_ = false;
  Run();
  EXPECT_EQ(stored_, (Strings{"1", "2", "3"}));
  for (const auto& outcome : outcomes_) EXPECT_TRUE(outcome && outcome->ok());
  EXPECT_FALSE(fs::exists(File())) << "the store has it";
}

TEST_F(WriterJournalTest, LeavesWhatOnePatienceEndedOutOfItsWayForTheNext) {
  silent_ = true;
  Start(Urgent("a", "1"));
  Until([&] { return left_.size() == 1; });
  Start(Move("b", "2"));
  Start(Urgent("b", "3"));
  Until([&] { return left_.size() == 2; });
  Crash();
  ASSERT_TRUE(Replayed().ok());
  EXPECT_EQ(stored_, (Strings{"1", "2", "3"}));
  EXPECT_EQ(records_, (std::map<std::string, std::string>{{"a", "1"}, {"b", "3"}}));
  EXPECT_FALSE(attention_);
  EXPECT_FALSE(fs::exists(File()));
}

TEST_F(WriterJournalTest, TheNextRunCommitsWhatTheStoreDoesNotHaveBeforeAnythingElse) {
  silent_ = true;
  Start(Move("a", "1"));
  Until([&] { return calls_ > 0; });
  Start(Urgent("a", "2"));
  Until([&] { return !left_.empty(); });
  // The one in flight had come through; its answer was lost.
  revision_ += 2;
  stored_ = {"1"};
  Crash();
  Start(Mark("after"));
  Run();
  EXPECT_EQ(stored_, (Strings{"1", "2", "after"}));
  EXPECT_EQ(records_["a"], "2");
  EXPECT_FALSE(attention_);
}

TEST_F(WriterJournalTest, ARunThatEndsWhileItReplaysLeavesTheRestToTheNext) {
  silent_ = true;
  Start(Urgent("a", "1"));
  Until([&] { return left_.size() == 1; });
  Start(Urgent("b", "2"));
  Until([&] { return left_.size() == 2; });
  Crash();
  silent_ = true;
  const int before = calls_;
  Start(Mark("never"));
  Until([&] { return calls_ > before; });
  Crash();
  ASSERT_TRUE(Replayed().ok());
  ASSERT_TRUE(Replayed().ok());
  EXPECT_EQ(stored_, (Strings{"1", "2"}));
}

TEST_F(WriterJournalTest, AJournalOfTheTimeBeforeAnotherOwnerIsNotCommitted) {
  silent_ = true;
  Start(Move("a", "1"));
  Start(Urgent("b", "2"));
  Until([&] { return !left_.empty(); });
  records_ = {{"a", "other's"}, {"b", "other's"}, {"c", "other's"}};
  revision_ += 5;
  Crash(/*leases_later=*/2);
  ASSERT_TRUE(Replayed().ok());
  EXPECT_TRUE(stored_.empty());
  EXPECT_TRUE(attention_);
  EXPECT_EQ(records_, (std::map<std::string, std::string>{{"c", "other's"}})) << "what it touched begins anew";
  EXPECT_FALSE(fs::exists(File()));
  EXPECT_EQ(metrics_.journal_refused.Value(), 1);
}

TEST_F(WriterJournalTest, WhatTheStoreRefusesOfAJournalIsGivenUpWithAllBehindIt) {
  silent_ = true;
  Start(Move("a", "1"));
  Start(Move("b", "2"));
  Start(Urgent("c", "3"));
  Until([&] { return !left_.empty(); });
  refused_ = {"2"};
  Crash();
  ASSERT_TRUE(Replayed().ok());
  EXPECT_TRUE(attention_);
  EXPECT_FALSE(records_.contains("b"));
  EXPECT_FALSE(records_.contains("c"));
  EXPECT_FALSE(fs::exists(File()));
  Start(Mark("after"));
  Run();
  EXPECT_EQ(stored_.back(), "after");
}

TEST_F(WriterJournalTest, KeepsTheJournalRightWhenAWriteBeforeIsRefused) {
  silent_ = true;
  Start(Move("a", "1"));
  Until([&] { return calls_ > 0; });
  Start(Move("b", "bad"));
  Start(Move("c", "2"));
  Start(Urgent("d", "3"));
  Until([&] { return !left_.empty(); });
  refused_ = {"bad"};
  silent_after_refusing_ = 2;  // alone, after it was among others
  silent_ = false;
  Until([&] { return silent_ && outcomes_[1]; });
  EXPECT_EQ(outcomes_[1]->code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(stored_, Strings{"1"});
  Crash();
  ASSERT_TRUE(Replayed().ok());
  EXPECT_EQ(stored_, (Strings{"1", "2", "3"}));
  EXPECT_EQ(records_, (std::map<std::string, std::string>{{"a", "1"}, {"c", "2"}, {"d", "3"}}));
  EXPECT_FALSE(attention_);
}

TEST_F(WriterJournalTest, KeepsTheJournalWhileABatchThatIsInItGoesWriteByWrite) {
  silent_call_ = 2;
  silent_ = true;
  Start(Mark("0"));
  Until([&] { return calls_ == 1; });
  Start(Move("a", "bad"));
  Start(Urgent("b", "1"));
  silent_ = false;
  Until([&] { return !left_.empty(); });
  refused_ = {"bad"};
  silent_after_refusing_ = 4;  // both
  silent_call_ = 0;
  Until([&] { return silent_ && calls_ > 2; });
  EXPECT_TRUE(fs::exists(File()));
  silent_after_refusing_ = -1;
  Crash();
  ASSERT_TRUE(Replayed().ok());
  EXPECT_TRUE(attention_) << "the store refuses it as before";
  EXPECT_FALSE(records_.contains("b")) << "what has left under this session cannot be taken back";
}

TEST_F(WriterJournalTest, AJournalThatCannotBeReadIsSetAsideAndEverySessionBeginsAnew) {
  silent_ = true;
  Start(Urgent("a", "1"));
  Until([&] { return !left_.empty(); });
  keys_ = KeysOf(kOtherKey);
  records_ = {{"z", "kept"}};
  Crash();
  ASSERT_TRUE(Replayed().ok());
  EXPECT_TRUE(attention_);
  EXPECT_TRUE(records_.empty());
  EXPECT_TRUE(fs::exists(File() + ".unreadable"));
  EXPECT_FALSE(fs::exists(File()));
}

TEST_F(WriterJournalTest, NothingTakesEffectWhenTheDiskDoesNotTakeIt) {
  fs::remove_all(folder_);
  silent_ = true;
  Start(Urgent("a", "1"));
  Until([&] { return metrics_.journal_failures.Value() == 1; });
  EXPECT_TRUE(left_.empty());
  silent_ = false;
  Run();
  EXPECT_EQ(stored_, Strings{"1"});
}

TEST_F(WriterJournalTest, WhatReadsBeforeItWritesComesAgainLater) {
  silent_ = true;
  Start(Move("a", "1"));
  Until([&] { return calls_ > 0; });
  std::optional<absl::Status> outcome;
  const NumberWriter::Prepare prepare = []() -> asio::awaitable<absl::StatusOr<NumberWrite>> {
    co_return Mark("read");
  };
  auto work = [](std::shared_ptr<NumberWriter> writer, NumberWriter::Prepare prepare,
                 std::optional<absl::Status>* outcome) -> asio::awaitable<void> {
    *outcome = (co_await writer->CommitPrepared(std::move(prepare))).status();
  };
  asio::co_spawn(io_, work(writer_, prepare, &outcome), asio::detached);
  Start(Urgent("a", "2"));
  Until([&] { return !left_.empty() && outcome; });
  EXPECT_EQ(outcome->code(), absl::StatusCode::kUnavailable);
  silent_ = false;
  Run();
  EXPECT_EQ(stored_, (Strings{"1", "2"}));
}

TEST_F(WriterJournalTest, ALostLeaseLeavesTheJournalToWhoeverComesNext) {
  silent_ = true;
  Start(Urgent("a", "1"));
  Until([&] { return !left_.empty(); });
  ++token_;
  silent_ = false;
  Run();
  EXPECT_EQ(lost_, Strings{"LEASE_LOST"});
  EXPECT_TRUE(fs::exists(File()));
  writer_ = MakeWriter();
  ASSERT_TRUE(Replayed().ok());
  EXPECT_EQ(stored_, Strings{"1"});
}

}  // namespace
}  // namespace medidesk::gateway
