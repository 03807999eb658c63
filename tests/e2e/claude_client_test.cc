// The Claude client against the Claude stub: the whole exchange, held to the stub's strict checks.
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "assistant/claude/client.h"
#include "assistant/claude/testing/run.h"
#include "tests/sim/claude/claude_stub.h"

namespace medidesk::assistant::claude {
namespace {

using claude_stub::ClaudeStub;
using claude_stub::Fault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ClaudeClientTest : public ::testing::Test {
 protected:
  ClaudeClientTest() : stub_(ClaudeStub::Start({}).value()) {
    options_.api_key = ApiKey("sk-ant-test");
    options_.base_url = stub_->url();
    options_.timing = time_.Make();
  }

  Client& client() {
    if (client_ == nullptr) client_ = MakeClient(io_.get_executor(), options_, metrics_).value();
    return *client_;
  }
  Deadline Plenty() { return options_.timing.now() + std::chrono::seconds(25); }
  absl::StatusOr<Result> Ask(Request request) {
    return testing::Await(io_, client().Ask(std::move(request), Plenty()));
  }
  absl::StatusOr<Result> Stream(Request request) {
    OnText on_text = [this](std::string_view text) -> boost::asio::awaitable<absl::Status> {
      heard_ += text;
      ++pieces_;
      co_return absl::OkStatus();
    };
    return testing::Await(io_, client().Stream(std::move(request), Plenty(), std::move(on_text)));
  }
  static Request Question(std::string text) {
    Request request;
    SystemBlock system;
    system.text = "You are the front desk of Sunrise Hospital.";
    system.cache = CacheTtl::kOneHour;
    request.system.push_back(std::move(system));
    request.tools =
        RawJson::ParseArray(
            R"([{"name":"find_slots","description":"Lists free slots.","strict":true,"input_schema":{"type":"object",)"
            R"("properties":{"department":{"type":"string"}},"required":["department"],"additionalProperties":false}}])")
            .value();
    request.user_id = "b6f1c2d09a7e";
    request.cache_dialogue = CacheTtl::kFiveMinutes;
    request.messages.push_back(UserText(std::move(text)));
    return request;
  }
  void Inject(int status, std::int64_t times, claude_stub::Headers headers = {}) {
    Fault fault;
    fault.status = status;
    fault.times = times;
    fault.headers = std::move(headers);
    ASSERT_TRUE(stub_->Inject(std::move(fault)).ok());
  }
  void Inject(Fault::Mode mode, std::int64_t times = 1) {
    Fault fault;
    fault.mode = mode;
    fault.times = times;
    ASSERT_TRUE(stub_->Inject(std::move(fault)).ok());
  }

  std::unique_ptr<ClaudeStub> stub_;
  boost::asio::io_context io_{1};
  testing::FakeTime time_;
  prometheus::Registry registry_;
  ClientOptions options_;
  Metrics metrics_{registry_, options_.model, options_.fallback_model};
  std::unique_ptr<Client> client_;
  std::string heard_;
  int pieces_ = 0;
};

TEST_F(ClaudeClientTest, AnswersByteForByte) {
  const std::string text = "क्या डॉक्टर हैं? \"quoted\" \\ 👋\n\t end";
  const auto result = Ask(Question(text));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->text, "stub: " + text);
  EXPECT_THAT(result->request_id, ::testing::StartsWith("req_"));
  EXPECT_GT(result->usage.input_tokens, 0);
  EXPECT_GT(result->usage.output_tokens, 0);
}

TEST_F(ClaudeClientTest, StreamsByteForByte) {
  const std::string text = "क्या डॉक्टर हैं? \"quoted\" \\ 👋\n\t end";
  const auto result = Stream(Question(text));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(heard_, "stub: " + text);
  EXPECT_EQ(result->text, heard_);
  EXPECT_GE(pieces_, 2);
}

TEST_F(ClaudeClientTest, GoesThroughAToolLoopPlainAndStreamed) {
  for (const bool streamed : {false, true}) {
    ASSERT_TRUE(stub_
                    ->QueueReplyJson(R"({"content":[{"type":"thinking","thinking":"","signature":"c2ln"},)"
                                     R"({"type":"text","text":"Let me check."},{"type":"tool_use","id":"toolu_1",)"
                                     R"("name":"find_slots","input":{"department":"ent"}}]})")
                    .ok());
    ASSERT_TRUE(stub_->QueueText("At nine.").ok());
    Request request = Question("Any slot?");
    const auto first = streamed ? Stream(request) : Ask(request);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(first->stop_reason, "tool_use");
    ASSERT_EQ(first->tool_use.size(), 1u);
    EXPECT_EQ(first->tool_use[0].input.text(), R"({"department":"ent"})");

    Message assistant, results;
    assistant.role = Role::kAssistant;
    assistant.content = first->content;
    ToolResultBlock slots;
    slots.tool_use_id = first->tool_use[0].id;
    slots.content = R"(["09:00"])";
    results.content.emplace_back(std::move(slots));
    request.messages.push_back(std::move(assistant));
    request.messages.push_back(std::move(results));
    const auto second = streamed ? Stream(request) : Ask(request);
    ASSERT_TRUE(second.ok()) << second.status();
    EXPECT_EQ(second->text, "At nine.");
  }
}

TEST_F(ClaudeClientTest, WaitsAndRetriesAsTheApiAsks) {
  Inject(429, 1, {{"retry-after", "1"}});
  Inject(529, 1);
  const auto result = Ask(Question("Hello"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->attempts, 3);
  EXPECT_THAT(time_.sleeps, ElementsAre(std::chrono::milliseconds(1000), std::chrono::milliseconds(1000)));
}

TEST_F(ClaudeClientTest, GoesToTheFallbackModel) {
  Inject(503, 3);
  const auto result = Ask(Question("Hello"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->used_fallback);
  EXPECT_EQ(result->model, options_.fallback_model);
}

TEST_F(ClaudeClientTest, GoesToTheFallbackModelWhenItsModelIsRetired) {
  options_.model = "claude-sonnet-4-20250514";
  const auto result = Ask(Question("Hello"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->attempts, 2);
  EXPECT_TRUE(result->used_fallback);
}

TEST_F(ClaudeClientTest, SaysThatTheKeyIsWrong) {
  options_.api_key = ApiKey("invalid");
  const auto result = Ask(Question("Hello"));
  EXPECT_EQ(TroubleOf(result.status()), Trouble::kAccount);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("ANTHROPIC_API_KEY"));
  EXPECT_EQ(stub_->request_count(), 1u);
}

TEST_F(ClaudeClientTest, SurvivesBrokenConnections) {
  Inject(Fault::Mode::kDisconnect);
  EXPECT_TRUE(Ask(Question("one")).ok());
  Inject(Fault::Mode::kTruncate);
  EXPECT_TRUE(Ask(Question("two")).ok());
  Inject(Fault::Mode::kDisconnect);
  EXPECT_TRUE(Stream(Question("three")).ok());
}

TEST_F(ClaudeClientTest, GivesUpOnAHangingModel) {
  options_.primary_budget = std::chrono::milliseconds(100);
  options_.min_attempt = std::chrono::milliseconds(50);
  Inject(Fault::Mode::kHang);
  const auto result = Ask(Question("Hello"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->used_fallback);
}

TEST_F(ClaudeClientTest, FailsAStreamThatBreaksAfterItsFirstText) {
  for (const Fault::Mode mode : {Fault::Mode::kSseError, Fault::Mode::kTruncate}) {
    stub_->Reset();
    heard_.clear();
    Inject(mode);
    const auto result = Stream(Question("a question that is long enough to be cut"));
    EXPECT_FALSE(result.ok());
    EXPECT_FALSE(heard_.empty());
    EXPECT_EQ(stub_->request_count(), 1u);
  }
}

TEST_F(ClaudeClientTest, AsksTheFallbackModelAfterARefusal) {
  ASSERT_TRUE(stub_->QueueReplyJson(R"({"content":[],"stop_reason":"refusal"})").ok());
  const auto result = Ask(Question("Hello"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->used_fallback);
}

TEST_F(ClaudeClientTest, RepeatsAnEmptyAnswerAndACutOne) {
  ASSERT_TRUE(stub_->QueueReplyJson(R"({"content":[],"stop_reason":"end_turn"})").ok());
  EXPECT_TRUE(Ask(Question("Hello")).ok());
  ASSERT_TRUE(stub_->QueueReplyJson(R"({"content":[{"type":"text","text":"half"}],"stop_reason":"max_tokens"})").ok());
  EXPECT_TRUE(Ask(Question("Hello")).ok());
  EXPECT_EQ(stub_->request_count(), 4u);
}

TEST_F(ClaudeClientTest, ProbesTheModelsAndKeepsTheirSettings) {
  testing::Await(io_, client().Probe());
  ASSERT_TRUE(Ask(Question("Hello")).ok());
  const auto requests = stub_->Requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0]->path, "/v1/models/" + options_.model);
  EXPECT_THAT(*requests[2]->body, HasSubstr(R"("thinking":{"type":"disabled"},"output_config":{"effort":"low"})"));
}

}  // namespace
}  // namespace medidesk::assistant::claude
