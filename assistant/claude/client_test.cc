#include "assistant/claude/client.h"

#include "assistant/claude/testing/client_fixture.h"

namespace medidesk::assistant::claude::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(ClientTest, AnswersFromThePrimaryModel) {
  Answer("Of course.");
  const auto result = Ask();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->text, "Of course.");
  EXPECT_EQ(result->model, kPrimary);
  EXPECT_EQ(result->stop_reason, "end_turn");
  EXPECT_EQ(result->attempts, 1);
  EXPECT_EQ(result->request_id, "req_1");
  EXPECT_FALSE(result->used_fallback);
  EXPECT_EQ(result->messages_used, 1u);
  const Usage expected{.input_tokens = 61, .output_tokens = 74, .cache_read_tokens = 1874, .cache_write_tokens = 5};
  EXPECT_EQ(result->usage, expected);
}

TEST_F(ClientTest, SendsTheHeadersAndTheProfileOfItsModel) {
  Answer("Yes.");
  ASSERT_TRUE(Ask().ok());
  const auto& seen = peer_.requests().at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/v1/messages");
  EXPECT_EQ(seen.headers.Find("x-api-key"), "sk-ant-test");
  EXPECT_EQ(seen.headers.Find("anthropic-version"), "2026-10-21");
  EXPECT_EQ(seen.headers.Find("content-type"), "application/json");
  EXPECT_EQ(seen.headers.Find("accept-encoding"), "");
  EXPECT_THAT(seen.body, HasSubstr(R"("thinking":{"type":"disabled"},"output_config":{"effort":"low"})"));
  for (const char* never : {"temperature", "top_p", "top_k", "tool_choice"})
    EXPECT_THAT(seen.body, Not(HasSubstr(never)));
}

TEST_F(ClientTest, PutsTheBaseUrlsPathBeforeTheTarget) {
  options_.base_url = peer_.base_url() + "/proxy/";
  Answer("Yes.");
  ASSERT_TRUE(Ask().ok());
  EXPECT_EQ(peer_.requests().at(0).target, "/proxy/v1/messages");
}

TEST_F(ClientTest, ReusesTheConnection) {
  Answer("One.");
  Answer("Two.");
  ASSERT_TRUE(Ask().ok());
  ASSERT_TRUE(Ask().ok());
  EXPECT_EQ(peer_.connections(), 1);
}

// --- retries

TEST_F(ClientTest, WaitsAsLongAsTheServerAsksBeforeItRetries) {
  Fail(429, "rate_limit_error", {{"retry-after", "1"}});
  Fail(503, "api_error", {{"retry-after-ms", "250"}});
  Answer("Here I am.");
  const auto result = Ask();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->attempts, 3);
  EXPECT_THAT(Asked(), ElementsAre(kPrimary, kPrimary, kPrimary));
  EXPECT_THAT(time_.sleeps, ElementsAre(milliseconds(1000), milliseconds(250)));
}

TEST_F(ClientTest, BacksOffByItselfWhenTheServerSaysNothing) {
  Fail(500, "api_error");
  Fail(529, "overloaded_error");
  Answer("Here I am.");
  ASSERT_TRUE(Ask().ok());
  EXPECT_THAT(time_.sleeps, ElementsAre(milliseconds(500), milliseconds(1000)));
}

struct Retried {
  int status;
  const char* type;
};
class RetriedStatus : public ClientTest, public ::testing::WithParamInterface<Retried> {};

TEST_P(RetriedStatus, IsRetriedThreeTimesAndThenGoesToTheFallbackModel) {
  for (int i = 0; i < 3; ++i) Fail(GetParam().status, GetParam().type);
  Answer("From the other one.");
  const auto result = Ask();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->model, kFallback);
  EXPECT_TRUE(result->used_fallback);
  EXPECT_EQ(result->attempts, 4);
  EXPECT_THAT(Asked(), ElementsAre(kPrimary, kPrimary, kPrimary, kFallback));
  EXPECT_THAT(peer_.requests().back().body, HasSubstr(R"("thinking":{"type":"between_tools"})"));
}
INSTANTIATE_TEST_SUITE_P(Claude, RetriedStatus,
                         ::testing::Values(Retried{408, "x"}, Retried{409, "conflict_error"},
                                           Retried{429, "rate_limit_error"}, Retried{500, "api_error"},
                                           Retried{502, "api_error"}, Retried{503, "api_error"},
                                           Retried{504, "timeout_error"}, Retried{529, "overloaded_error"}));

struct Alarm {
  int status;
  const char* type;
  absl::StatusCode code;
  Trouble trouble;
};
class AlarmStatus : public ClientTest, public ::testing::WithParamInterface<Alarm> {};

TEST_P(AlarmStatus, FailsAtOnceWithoutRetryOrFallback) {
  Fail(GetParam().status, GetParam().type);
  Answer("never asked for");
  const auto result = Ask();
  EXPECT_EQ(result.status().code(), GetParam().code);
  EXPECT_EQ(TroubleOf(result.status()), GetParam().trouble);
  EXPECT_EQ(peer_.requests().size(), 1u);
  EXPECT_THAT(std::string(result.status().message()), Not(HasSubstr("secret")));
}
INSTANTIATE_TEST_SUITE_P(
    Claude, AlarmStatus,
    ::testing::Values(Alarm{400, "invalid_request_error", absl::StatusCode::kInvalidArgument, Trouble::kRejected},
                      Alarm{401, "authentication_error", absl::StatusCode::kFailedPrecondition, Trouble::kAccount},
                      Alarm{402, "billing_error", absl::StatusCode::kFailedPrecondition, Trouble::kAccount},
                      Alarm{403, "permission_error", absl::StatusCode::kFailedPrecondition, Trouble::kAccount},
                      Alarm{413, "request_too_large", absl::StatusCode::kInvalidArgument, Trouble::kRejected},
                      Alarm{422, "invalid_request_error", absl::StatusCode::kInvalidArgument, Trouble::kRejected},
                      Alarm{307, "", absl::StatusCode::kInternal, Trouble::kMalformed}));

TEST_F(ClientTest, TakesTheFallbackModelAtOnceWhenTheModelIsRetired) {
  Fail(404, "not_found_error");
  Answer("From the other one.");
  const auto result = Ask();
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(Asked(), ElementsAre(kPrimary, kFallback));
  EXPECT_TRUE(time_.sleeps.empty());
}

TEST_F(ClientTest, TakesTheFallbackModelWhenTheServerAsksForMoreThanTheBudget) {
  Fail(429, "rate_limit_error", {{"retry-after", "11.5"}});
  Answer("From the other one.");
  ASSERT_TRUE(Ask().ok());
  EXPECT_THAT(Asked(), ElementsAre(kPrimary, kFallback));
  EXPECT_TRUE(time_.sleeps.empty());
}

TEST_F(ClientTest, DoesNotRetryWhenTheServerForbidsIt) {
  Fail(500, "api_error", {{"x-should-retry", "false"}});
  Answer("From the other one.");
  ASSERT_TRUE(Ask().ok());
  EXPECT_THAT(Asked(), ElementsAre(kPrimary, kFallback));
}

TEST_F(ClientTest, RetriesWhenTheServerAsksForIt) {
  Fail(400, "invalid_request_error", {{"x-should-retry", "true"}});
  Answer("Now.");
  ASSERT_TRUE(Ask().ok());
  EXPECT_THAT(Asked(), ElementsAre(kPrimary, kPrimary));
}

TEST_F(ClientTest, RaisesTheAlarmWhenTheMonthsSpendLimitIsReached) {
  Fail(429, "rate_limit_error", {}, "enforced_spend_limit_reached");
  const auto result = Ask();
  EXPECT_EQ(TroubleOf(result.status()), Trouble::kAccount);
  EXPECT_EQ(peer_.requests().size(), 1u);
}

TEST_F(ClientTest, RetriesAConnectionThatEndsWithoutAnAnswer) {
  peer_.Enqueue(CloseWithoutAByte());
  Answer("Now.");
  const auto result = Ask();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->attempts, 2);
}

TEST_F(ClientTest, RetriesAProxysHtml) {
  PeerReply html;
  html.pieces = {"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"};
  peer_.Enqueue(html);
  peer_.Enqueue(JsonReply(200, "<html>not JSON either"));
  Answer("Now.");
  const auto result = Ask();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->attempts, 3);
}

TEST_F(ClientTest, GoesToTheFallbackModelWhenThePrimaryDoesNotAnswerInTime) {
  options_.primary_budget = milliseconds(80);
  options_.min_attempt = milliseconds(40);
  peer_.Enqueue(Stall());
  Answer("From the other one.");
  const auto result = Ask();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(Asked(), ElementsAre(kPrimary, kFallback));
}

TEST_F(ClientTest, StaysInsideTheCallersDeadline) {
  options_.min_attempt = milliseconds(10);
  const Deadline deadline = In(milliseconds(120));  // shared 12 : 8 between two models that stall
  const auto result = Await(io_, client().Ask(Question(), deadline));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Asked(), ElementsAre(kPrimary, kFallback));
}

TEST_F(ClientTest, FailsWhenBothModelsAreOut) {
  for (int i = 0; i < 4; ++i) Fail(529, "overloaded_error");
  const auto result = Ask();
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(TroubleOf(result.status()), Trouble::kOverloaded);
  EXPECT_EQ(peer_.requests().size(), 4u);
}

TEST_F(ClientTest, WorksWithoutAFallbackModel) {
  options_.fallback_model = "";
  for (int i = 0; i < 3; ++i) Fail(529, "overloaded_error");
  EXPECT_EQ(TroubleOf(Ask().status()), Trouble::kOverloaded);
  EXPECT_EQ(peer_.requests().size(), 3u);
}

TEST_F(ClientTest, LeavesADeadModelAloneForAWhile) {
  options_.circuit.failures_to_open = 3;
  for (int i = 0; i < 3; ++i) Fail(529, "overloaded_error");
  Answer("one");
  Answer("two");
  ASSERT_TRUE(Ask().ok());
  ASSERT_TRUE(Ask().ok());
  EXPECT_THAT(Asked(), ElementsAre(kPrimary, kPrimary, kPrimary, kFallback, kFallback));
  time_.slept += options_.circuit.open_for;
  Answer("three");
  ASSERT_TRUE(Ask().ok());
  EXPECT_EQ(Asked().back(), kPrimary);
}

// --- stop reasons

TEST_F(ClientTest, TakesTheFallbackModelOnceAfterARefusal) {
  peer_.Enqueue(JsonReply(200, AnswerBody("[]", "refusal")));
  Answer("From the other one.");
  const auto result = Ask();
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(Asked(), ElementsAre(kPrimary, kFallback));
}

TEST_F(ClientTest, FailsWhenBothModelsRefuse) {
  peer_.Enqueue(JsonReply(200, TextBody("I will not", "refusal")));
  peer_.Enqueue(JsonReply(200, AnswerBody("[]", "refusal")));
  const auto result = Ask();
  EXPECT_EQ(TroubleOf(result.status()), Trouble::kRefused);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kAborted);
}

TEST_F(ClientTest, RepeatsACutAnswerOnceWithTwiceTheLimit) {
  peer_.Enqueue(JsonReply(200, TextBody("half a sen", "max_tokens")));
  Answer("A whole sentence.");
  const auto result = Ask();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->text, "A whole sentence.");
  EXPECT_THAT(peer_.requests().at(0).body, HasSubstr(R"("max_tokens":1024)"));
  EXPECT_THAT(peer_.requests().at(1).body, HasSubstr(R"("max_tokens":2048)"));
}

TEST_F(ClientTest, FailsWhenTheRepeatIsCutToo) {
  for (int i = 0; i < 2; ++i) peer_.Enqueue(JsonReply(200, TextBody("half a sen", "max_tokens")));
  EXPECT_EQ(TroubleOf(Ask().status()), Trouble::kCut);
  EXPECT_EQ(peer_.requests().size(), 2u);
}

TEST_F(ClientTest, FailsWhenTheContextWindowIsFull) {
  peer_.Enqueue(JsonReply(200, TextBody("half", "model_context_window_exceeded")));
  EXPECT_EQ(TroubleOf(Ask().status()), Trouble::kCut);
  EXPECT_EQ(peer_.requests().size(), 1u);
}

TEST_F(ClientTest, AsksAgainOnceAfterAnEmptyAnswer) {
  peer_.Enqueue(JsonReply(200, AnswerBody("[]")));
  Answer("Here I am.");
  const auto result = Ask();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->text, "Here I am.");
  EXPECT_THAT(peer_.requests().at(1).body, HasSubstr("Please answer"));
  EXPECT_EQ(result->messages_used, 1u);
}

TEST_F(ClientTest, FailsAfterTwoEmptyAnswers) {
  for (int i = 0; i < 2; ++i) peer_.Enqueue(JsonReply(200, AnswerBody(R"([{"type":"text","text":""}])")));
  EXPECT_EQ(TroubleOf(Ask().status()), Trouble::kEmpty);
  EXPECT_EQ(peer_.requests().size(), 2u);
}

TEST_F(ClientTest, SendsAPausedTurnBackAndJoinsTheRest) {
  peer_.Enqueue(JsonReply(200, TextBody("First. ", "pause_turn")));
  Answer("Second.");
  const auto result = Ask();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->text, "First. Second.");
  EXPECT_THAT(peer_.requests().at(1).body,
              HasSubstr(R"({"role":"assistant","content":[{"type":"text","text":"First. ","citations":null}]}])"));
}

TEST_F(ClientTest, TreatsAnUnknownStopReasonAsTheEndWhenThereIsText) {
  peer_.Enqueue(JsonReply(200, TextBody("Done.", "newly_invented")));
  peer_.Enqueue(JsonReply(200, TextBody("Done too.", "")));
  EXPECT_EQ(Ask().value().text, "Done.");
  EXPECT_EQ(Ask().value().text, "Done too.");
}

TEST_F(ClientTest, FailsOnAnUnknownStopReasonWithoutText) {
  const char* tool = R"([{"type":"tool_use","id":"toolu_1","name":"find","input":{}}])";
  peer_.Enqueue(JsonReply(200, AnswerBody(tool, "newly_invented")));
  EXPECT_EQ(TroubleOf(Ask().status()), Trouble::kEmpty);
}

TEST_F(ClientTest, HandsOutToolCallsAndKeepsTheTurnAsReceived) {
  const std::string content =
      R"([{"type":"thinking","thinking":"","signature":"c2ln"},{"type":"text","text":"Let me check."},)"
      R"({"type":"tool_use","id":"toolu_1","name":"find_slots","input":{"department":"ent"},"caller":{"type":"direct"}}])";
  peer_.Enqueue(JsonReply(200, AnswerBody(content, "tool_use")));
  const auto result = Ask();
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->tool_use.size(), 1u);
  EXPECT_EQ(result->tool_use[0].name, "find_slots");
  EXPECT_EQ(result->tool_use[0].input.text(), R"({"department":"ent"})");
  EXPECT_EQ(result->text, "Let me check.");

  Request next = Question();
  Message assistant;
  assistant.role = Role::kAssistant;
  assistant.content = result->content;
  next.messages.push_back(std::move(assistant));
  ToolResultBlock slots;
  slots.tool_use_id = "toolu_1";
  slots.content = R"(["09:00"])";
  Message results;
  results.content.emplace_back(std::move(slots));
  next.messages.push_back(std::move(results));
  Answer("At nine.");
  ASSERT_TRUE(Ask(next).ok());
  EXPECT_THAT(peer_.requests().at(1).body, HasSubstr(content));
}

TEST_F(ClientTest, StaysWithTheFallbackModelWhenAToolLoopBeganThere) {
  Answer("On.");
  const auto result = Await(io_, client().Ask(Question(), Plenty(), StartWith::kFallback));
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->used_fallback);
  EXPECT_THAT(Asked(), ElementsAre(kFallback));
}

// --- what was used

TEST_F(ClientTest, TellsOfEachRequestAndWhatItUsed) {
  std::vector<std::string> told;
  options_.on_request = [&](std::string_view model, bool usable, const Usage& usage) {
    told.push_back(std::string(model) + (usable ? " ok " : " failed ") + std::to_string(usage.input_tokens) + "/" +
                   std::to_string(usage.output_tokens));
  };
  Fail(529, "overloaded_error");
  Answer("Of course.");
  ASSERT_TRUE(Ask().ok());
  EXPECT_THAT(told, ElementsAre("claude-haiku-5-5 failed 0/0", "claude-haiku-5-5 ok 61/74"));

  told.clear();
  std::vector<std::string> cut = TextFrames({"Half"});
  cut.resize(4);
  peer_.Enqueue(SseReply(cut, /*finish=*/false));
  EXPECT_FALSE(Stream().ok());
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0], HasSubstr("failed 25/")) << "the input is paid for";
}

// --- streams

TEST_F(ClientTest, StreamsTheTextAsItComes) {
  peer_.Enqueue(SseReply(TextFrames({"Of ", "course", "."})));
  const auto result = Stream();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(heard_, ElementsAre("Of ", "course", "."));
  EXPECT_EQ(result->text, "Of course.");
  EXPECT_EQ(result->request_id, "req_stream");
  const Usage expected{.input_tokens = 25, .output_tokens = 31, .cache_read_tokens = 7, .cache_write_tokens = 0};
  EXPECT_EQ(result->usage, expected);
  EXPECT_THAT(peer_.requests().at(0).body, HasSubstr(R"("stream":true)"));
}

TEST_F(ClientTest, ReusesTheConnectionOfAStream) {
  peer_.Enqueue(SseReply(TextFrames({"One."})));
  peer_.Enqueue(SseReply(TextFrames({"Two."})));
  ASSERT_TRUE(Stream().ok());
  ASSERT_TRUE(Stream().ok());
  EXPECT_EQ(peer_.connections(), 1);
}

TEST_F(ClientTest, RetriesAStreamThatFailsBeforeItsFirstText) {
  peer_.Enqueue(SseReply({TextFrames({"x"})[0], SseFrame("error", ErrorBody("overloaded_error"))}));
  peer_.Enqueue(SseReply({TextFrames({"x"})[0]}, /*finish=*/false));
  peer_.Enqueue(SseReply(TextFrames({"Now."})));
  const auto result = Stream();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->attempts, 3);
  EXPECT_THAT(heard_, ElementsAre("Now."));
}

TEST_F(ClientTest, NeverRetriesAStreamAfterItsFirstText) {
  auto frames = TextFrames({"Of ", "course"});
  frames.resize(4);
  frames.push_back(SseFrame("error", ErrorBody("overloaded_error")));
  peer_.Enqueue(SseReply(frames));
  peer_.Enqueue(SseReply(TextFrames({"never"})));
  const auto result = Stream();
  EXPECT_EQ(TroubleOf(result.status()), Trouble::kOverloaded);
  EXPECT_THAT(heard_, ElementsAre("Of "));
  EXPECT_EQ(peer_.requests().size(), 1u);
}

TEST_F(ClientTest, FailsAStreamThatIsCutAfterItsFirstText) {
  auto frames = TextFrames({"Of ", "course"});
  frames.resize(5);
  peer_.Enqueue(SseReply(frames, /*finish=*/false));
  const auto result = Stream();
  EXPECT_EQ(TroubleOf(result.status()), Trouble::kConnection);
  EXPECT_EQ(peer_.requests().size(), 1u);
}

TEST_F(ClientTest, DoesNotRepeatACutStreamWhoseTextWasPassedOn) {
  peer_.Enqueue(SseReply(TextFrames({"half a sen"}, "max_tokens")));
  EXPECT_EQ(TroubleOf(Stream().status()), Trouble::kCut);
  EXPECT_EQ(peer_.requests().size(), 1u);
}

TEST_F(ClientTest, RetriesARefusalOnlyWhenNoTextWasPassedOn) {
  peer_.Enqueue(SseReply(TextFrames({}, "refusal")));
  peer_.Enqueue(SseReply(TextFrames({"I can help."})));
  ASSERT_TRUE(Stream().ok());
  EXPECT_THAT(Asked(), ElementsAre(kPrimary, kFallback));

  peer_.Enqueue(SseReply(TextFrames({"How to "}, "refusal")));
  EXPECT_EQ(TroubleOf(Stream().status()), Trouble::kRefused);
  EXPECT_EQ(peer_.requests().size(), 3u);
}

TEST_F(ClientTest, EndsTheCallWhenTheListenerRefusesText) {
  peer_.Enqueue(SseReply(TextFrames({"Of ", "course"})));
  OnText refuse = [](std::string_view) -> boost::asio::awaitable<absl::Status> {
    co_return Error(absl::StatusCode::kPermissionDenied, "not this");
  };
  const auto result = Await(io_, client().Stream(Question(), Plenty(), std::move(refuse)));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(peer_.requests().size(), 1u);
}

// --- options, metrics

TEST_F(ClientTest, RefusesOptionsThatCannotWork) {
  const auto code = [&](auto change) {
    ClientOptions options = options_;
    change(options);
    return MakeClient(io_.get_executor(), std::move(options), metrics_).status().code();
  };
  constexpr auto kBad = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code([](auto& o) { o.api_key = ApiKey(""); }), kBad);
  EXPECT_EQ(code([](auto& o) { o.api_key = ApiKey("sk\r\nx-evil: 1"); }), kBad);
  EXPECT_EQ(code([](auto& o) { o.base_url = "ftp://host"; }), kBad);
  EXPECT_EQ(code([](auto& o) { o.model = "a/../b"; }), kBad);
  EXPECT_EQ(code([](auto& o) { o.fallback_model = "a b"; }), kBad);
  EXPECT_EQ(code([](auto& o) {
              o.ca_file = "/nowhere/ca.pem";
              o.base_url = "https://127.0.0.1";
            }),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code([](auto&) {}), absl::StatusCode::kOk);
}

TEST_F(ClientTest, RejectsARequestThatCannotBeSent) {
  Request request = Question();
  request.max_tokens = 100'000;
  EXPECT_EQ(TroubleOf(Ask(request).status()), Trouble::kRejected);
  EXPECT_TRUE(peer_.requests().empty());
}

TEST_F(ClientTest, CountsWhatHappens) {
  for (int i = 0; i < 3; ++i) Fail(529, "overloaded_error");
  Answer("From the other one.");
  ASSERT_TRUE(Ask().ok());
  EXPECT_EQ(Metric("medidesk_assistant_claude_requests_total", {{"model", kPrimary}, {"outcome", "overloaded"}}), 3);
  EXPECT_EQ(Metric("medidesk_assistant_claude_requests_total", {{"model", kFallback}, {"outcome", "ok"}}), 1);
  EXPECT_EQ(Metric("medidesk_assistant_claude_tokens_total", {{"model", kFallback}, {"kind", "input"}}), 61);
  EXPECT_EQ(Metric("medidesk_assistant_claude_tokens_total", {{"model", kFallback}, {"kind", "output"}}), 74);
  EXPECT_EQ(Metric("medidesk_assistant_claude_tokens_total", {{"model", kFallback}, {"kind", "cache_read"}}), 1874);
  EXPECT_EQ(Metric("medidesk_assistant_claude_tokens_total", {{"model", kFallback}, {"kind", "cache_write"}}), 5);
  EXPECT_EQ(Metric("medidesk_assistant_claude_retries_total", {{"model", kPrimary}}), 2);
  EXPECT_EQ(Metric("medidesk_assistant_claude_fallbacks_total", {}), 1);
  EXPECT_EQ(Metric("medidesk_assistant_claude_request_seconds", {{"model", kPrimary}}), 3);
}

TEST_F(ClientTest, KeepsTheKeyOutOfLogsAndErrors) {
  ::testing::internal::CaptureStderr();
  Fail(401, "authentication_error");
  const auto result = Ask();
  const std::string logs = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(logs, HasSubstr("claude_attempt_failed"));
  EXPECT_THAT(logs, HasSubstr("authentication_error"));
  for (const char* secret : {"sk-ant-test", "secret words", "see a doctor"}) {
    EXPECT_THAT(logs, Not(HasSubstr(secret)));
    EXPECT_THAT(result.status().ToString(), Not(HasSubstr(secret)));
  }
}

}  // namespace
}  // namespace medidesk::assistant::claude::testing
