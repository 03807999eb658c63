// The webhook's client over an assistant that answers as it is told.
#include "admin/clients/reply_client.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/clients/testing/fake_services.h"

namespace medidesk::admin {
namespace {

using namespace std::chrono_literals;
using testing::FakeServices;

class ReplyClientTest : public ::testing::Test {
 protected:
  static ReplyCall Call(std::chrono::milliseconds time = 20s) {
    ReplyCall call{.phone = *PhoneNumber::Parse("+15550100001"),
                   .text = Phi<std::string>("hello"),
                   .message_id = "m1",
                   .timestamp = std::nullopt,
                   .trace = {},
                   .deadline = std::chrono::steady_clock::now() + time};
    return call;
  }
  absl::StatusOr<ReplyResult> Reply(ReplyCall call) {
    return asio::co_spawn(services_.io.executor(), client_.Reply(std::move(call)), asio::use_future).get();
  }

  FakeServices services_;
  ReplyClient client_{services_.channel()};
};

TEST_F(ReplyClientTest, SendsTheMessageAsTheWebhooks) {
  ReplyCall call = Call();
  call.timestamp = std::chrono::system_clock::time_point(1'700'000'000'250ms);
  call.trace.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  ASSERT_TRUE(Reply(std::move(call)).ok());
  const auto inbound = services_.assistant.last().inbound();
  EXPECT_EQ(inbound.phone(), "+15550100001");
  EXPECT_EQ(inbound.text(), "hello");
  EXPECT_EQ(inbound.message_id(), "m1");
  EXPECT_EQ(inbound.route(), store::v1::ROUTE_WEBHOOK);
  EXPECT_EQ(inbound.message_time().seconds(), 1'700'000'000);
  EXPECT_EQ(inbound.message_time().nanos(), 250'000'000);
  EXPECT_EQ(services_.assistant.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST_F(ReplyClientTest, LeavesOutATimeThatIsAbsentOrBefore1970) {
  ASSERT_TRUE(Reply(Call()).ok());
  EXPECT_FALSE(services_.assistant.last().inbound().has_message_time());
  ReplyCall call = Call();
  call.timestamp = std::chrono::system_clock::time_point(-1s);
  ASSERT_TRUE(Reply(std::move(call)).ok());
  EXPECT_FALSE(services_.assistant.last().inbound().has_message_time());
}

TEST_F(ReplyClientTest, GivesTheReply) {
  assistant::v1::ReplyResponse response;
  response.set_conversation_id("c1");
  response.set_text("Hi!");
  response.set_status(store::v1::CONVERSATION_STATUS_ACTIVE);
  response.set_duplicate(true);
  services_.assistant.Answer(response);
  const auto result = Reply(Call());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->conversation_id, "c1");
  ASSERT_TRUE(result->response.has_value());
  EXPECT_EQ(result->response->Expose(), "Hi!");
  EXPECT_EQ(result->status, "active");
  EXPECT_EQ(result->message_id, "m1");
  EXPECT_TRUE(result->duplicate);
}

TEST_F(ReplyClientTest, GivesNoTextWhereThereIsNone) {
  assistant::v1::ReplyResponse response;
  response.set_status(store::v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  services_.assistant.Answer(response);
  const auto result = Reply(Call());
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->response.has_value());
  EXPECT_EQ(result->status, "human_takeover");
  response.set_status(store::v1::CONVERSATION_STATUS_ARCHIVED);
  services_.assistant.Answer(response);
  EXPECT_EQ(Reply(Call())->status, "archived");
}

TEST_F(ReplyClientTest, PassesTheAssistantsCodeOn) {
  for (const auto code : {absl::StatusCode::kAborted, absl::StatusCode::kResourceExhausted,
                          absl::StatusCode::kUnavailable, absl::StatusCode::kInvalidArgument}) {
    services_.assistant.Fail(Error(code, "no"));
    EXPECT_EQ(Reply(Call()).status().code(), code);
  }
}

TEST_F(ReplyClientTest, AsksAgainWhereAnInstanceStops) {
  services_.assistant.stopping = 2;
  EXPECT_TRUE(Reply(Call()).ok());
  EXPECT_EQ(services_.assistant.calls, 3);
}

TEST_F(ReplyClientTest, AsksOnceAboutAMessageWithoutAnId) {
  services_.assistant.stopping = 1;
  ReplyCall call = Call();
  call.message_id.clear();
  EXPECT_EQ(Reply(std::move(call)).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(services_.assistant.calls, 1);
}

TEST_F(ReplyClientTest, EndsAtItsDeadline) {
  services_.assistant.hang = true;
  EXPECT_EQ(Reply(Call(100ms)).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Reply(Call(-1s)).status().code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace medidesk::admin
