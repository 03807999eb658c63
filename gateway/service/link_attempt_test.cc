#include "gateway/service/link_attempt.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace medidesk::gateway {
namespace {

namespace asio = boost::asio;

class LinkAttemptTest : public ::testing::Test {
 protected:
  void Read(int count) {
    auto work = [](LinkAttemptTest* self, int count) -> asio::awaitable<void> {
      for (int i = 0; i < count; ++i) self->seen_.push_back(co_await self->attempt_->Next());
    };
    asio::co_spawn(io_, work(this, count), asio::detached);
  }
  asio::awaitable<void> ReadOne() { seen_.push_back(co_await attempt_->Next()); }
  void Run() {
    io_.restart();
    io_.run_for(std::chrono::milliseconds(50));
  }
  static wa::QrCodeShown Qr(int index) {
    return {.text = std::to_string(index), .index = index, .count = 6, .expires = {}};
  }

  asio::io_context io_{1};
  std::shared_ptr<LinkAttempt> attempt_ = std::make_shared<LinkAttempt>(io_.get_executor(), "id", "number");
  std::vector<wa::Event> seen_;
};

TEST_F(LinkAttemptTest, HandsEventsOnInOrderWhetherTheReaderWaitsOrNot) {
  Read(3);
  Run();
  EXPECT_TRUE(seen_.empty());
  attempt_->Push(wa::LinkProgress{wa::LinkStep::kConnecting});
  Run();
  EXPECT_EQ(seen_.size(), 1u);
  attempt_->Push(Qr(1));
  attempt_->Push(wa::LinkProgress{wa::LinkStep::kConfirming});
  Run();
  ASSERT_EQ(seen_.size(), 3u);
  EXPECT_EQ(std::get<wa::QrCodeShown>(seen_[1]).index, 1);
  EXPECT_TRUE(attempt_->confirming());
}

TEST_F(LinkAttemptTest, ShowsASlowReaderTheNewestCodeOnly) {
  for (int i = 1; i <= 6; ++i) attempt_->Push(Qr(i));
  Read(1);
  Run();
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_EQ(std::get<wa::QrCodeShown>(seen_[0]).index, 6);
}

TEST_F(LinkAttemptTest, DropsWhatIsNotAboutLinkingAndWhatComesAfterTheEnd) {
  attempt_->Push(wa::CaughtUp{});
  attempt_->Push(wa::LinkFailed{.reason = wa::LinkFailure::kExpired, .advice = {}});
  EXPECT_TRUE(attempt_->ended());
  attempt_->Push(wa::LinkFailed{.reason = wa::LinkFailure::kStore, .advice = {}});
  Read(2);
  Run();
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_EQ(std::get<wa::LinkFailed>(seen_[0]).reason, wa::LinkFailure::kExpired);
}

TEST_F(LinkAttemptTest, EndsWithAReaderThatIsCancelled) {
  asio::cancellation_signal cancel;
  bool ended = false;
  asio::co_spawn(io_, ReadOne(), asio::bind_cancellation_slot(cancel.slot(), [&ended](const std::exception_ptr& e) {
                   ended = e != nullptr;
                 }));
  Run();
  cancel.emit(asio::cancellation_type::all);
  Run();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(seen_.empty());
}

}  // namespace
}  // namespace medidesk::gateway
