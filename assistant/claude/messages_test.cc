#include "assistant/claude/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assistant/claude/testing/bodies.h"

namespace medidesk::assistant::claude {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ModelSettings Haiku() {
  ModelSettings settings;
  settings.model = "claude-haiku-5-5";
  settings.thinking = R"({"type":"disabled"})";
  settings.effort = "low";
  return settings;
}

Request Full() {
  Request request;
  SystemBlock stable, today;
  stable.text = "You are the front desk of Sunrise Hospital.";
  stable.cache = CacheTtl::kOneHour;
  today.text = "Today is Monday 2026-11-23.";
  request.system = {stable, today};
  request.tools = RawJson::ParseArray(R"([{"name":"find_slots","input_schema":{"type":"object"}}])").value();
  request.user_id = "b6f1c2d09a7e";
  request.cache_dialogue = CacheTtl::kFiveMinutes;
  request.messages.push_back(UserText("Can I see a \"cardiologist\"?"));
  return request;
}

TEST(SerializeRequest, WritesTheFieldsInAFixedOrder) {
  EXPECT_EQ(
      SerializeRequest(Full(), Haiku()).value(),
      R"({"model":"claude-haiku-5-5","max_tokens":1024,"thinking":{"type":"disabled"},"output_config":{"effort":"low"},)"
      R"("system":[{"type":"text","text":"You are the front desk of Sunrise Hospital.",)"
      R"("cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"Today is Monday 2026-11-23."}],)"
      R"("tools":[{"name":"find_slots","input_schema":{"type":"object"}}],"tool_choice":{"type":"auto"},)"
      R"("metadata":{"user_id":"b6f1c2d09a7e"},"cache_control":{"type":"ephemeral","ttl":"5m"},)"
      R"("messages":[{"role":"user","content":[{"type":"text","text":"Can I see a \"cardiologist\"?"}]}]})");
}

TEST(SerializeRequest, WritesAQuotedBlockAsItsText) {
  Request plain = Full(), quoted = Full();
  plain.system[0].text = quoted.system[0].text = "Says \"hello\"\n\tन\xff\x01";
  quoted.system[0].quoted = QuoteText(quoted.system[0].text);
  EXPECT_EQ(SerializeRequest(quoted, Haiku()).value(), SerializeRequest(plain, Haiku()).value());
}

TEST(SerializeRequest, LeavesOutWhatIsNotSet) {
  Request request;
  request.messages.push_back(UserText("Hello"));
  ModelSettings bare;
  bare.model = "m";
  EXPECT_EQ(
      SerializeRequest(request, bare).value(),
      R"({"model":"m","max_tokens":1024,"messages":[{"role":"user","content":[{"type":"text","text":"Hello"}]}]})");
}

TEST(SerializeRequest, KeepsThePrefixWhenOnlyTheQuestionChanges) {
  Request other = Full();
  other.messages = {UserText("Where is the pharmacy?")};
  const std::string a = SerializeRequest(Full(), Haiku()).value(), b = SerializeRequest(other, Haiku()).value();
  const std::size_t prefix = a.find(R"("messages":)");
  EXPECT_EQ(a.substr(0, prefix), b.substr(0, prefix));
}

TEST(SerializeRequest, WritesAToolLoop) {
  Request request = Full();
  ToolUseBlock use;
  use.id = "toolu_1";
  use.name = "find_slots";
  use.input = RawJson::ParseObject(R"({"department":"ent"})").value();
  OtherBlock thinking;
  thinking.type = "thinking";
  thinking.raw = R"({"type":"thinking","thinking":"","signature":"c2ln"})";
  Message assistant;
  assistant.role = Role::kAssistant;
  assistant.content = {thinking, use};
  ToolResultBlock good, bad;
  good.tool_use_id = "toolu_1";
  good.content = R"(["09:00"])";
  bad.tool_use_id = "toolu_2";
  bad.content = "Unknown department.";
  bad.is_error = true;
  Message results;
  results.content = {good, bad};
  request.messages.push_back(assistant);
  request.messages.push_back(results);
  request.allow_tools = false;
  const std::string body = SerializeRequest(request, Haiku()).value();
  EXPECT_THAT(body,
              HasSubstr(R"({"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"c2ln"},)"
                        R"({"type":"tool_use","id":"toolu_1","name":"find_slots","input":{"department":"ent"}}]})"));
  EXPECT_THAT(body,
              HasSubstr(R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1",)"
                        R"("content":"[\"09:00\"]"},{"type":"tool_result","tool_use_id":"toolu_2","is_error":true,)"
                        R"("content":"Unknown department."}]})"));
  EXPECT_THAT(body, HasSubstr(R"("tool_choice":{"type":"none"})"));
}

TEST(SerializeRequest, SkipsEmptyTexts) {
  Request request = Full();
  request.system.emplace_back();
  Message empty;
  empty.role = Role::kAssistant;
  empty.content = UserText("").content;
  request.messages.insert(request.messages.begin(), empty);
  const std::string body = SerializeRequest(request, Haiku()).value();
  EXPECT_THAT(body, Not(HasSubstr(R"("text":"")")));
  EXPECT_THAT(body, Not(HasSubstr(R"("role":"assistant")")));
}

TEST(SerializeRequest, NamesTheRuleThatIsBroken) {
  const auto code = [](auto change) {
    Request request = Full();
    ModelSettings settings = Haiku();
    change(request, settings);
    return SerializeRequest(request, settings).status().code();
  };
  constexpr auto kBad = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code([](auto&, auto& s) { s.model.clear(); }), kBad);
  EXPECT_EQ(code([](auto& r, auto&) { r.messages.clear(); }), kBad);
  EXPECT_EQ(code([](auto& r, auto&) { r.messages.back().role = Role::kAssistant; }), kBad);
  EXPECT_EQ(code([](auto& r, auto&) { r.messages = {UserText("")}; }), kBad);
  EXPECT_EQ(code([](auto& r, auto&) { r.max_tokens = 0; }), kBad);
  EXPECT_EQ(code([](auto& r, auto&) { r.max_tokens = kMaxTokensWithoutStream + 1; }), kBad);
  EXPECT_EQ(code([](auto& r, auto&) { r.tools = RawJson(); }), kBad);
  EXPECT_EQ(code([](auto& r, auto&) { r.messages.resize(kMaxMessages + 1, UserText("x")); }), kBad);
  EXPECT_EQ(code([](auto& r, auto&) { r.messages = {UserText(std::string(kMaxRequestBytes, 'x'))}; }), kBad);
  EXPECT_EQ(code([](auto& r, auto& s) {
              r.max_tokens = kMaxTokensWithoutStream + 1;
              s.stream = true;
            }),
            absl::StatusCode::kOk);
}

TEST(ParseResponse, PicksBlocksByTypeAndKeepsUnknownOnes) {
  const std::string body = testing::AnswerBody(
      R"([{"type":"thinking","thinking":"","signature":"x"},{"type":"text","text":"Let me ","citations":null},)"
      R"({"type":"invented","a":[1,2]},{"type":"text","text":"check."},)"
      R"({"type":"tool_use","id":"toolu_1","name":"find","input":{"b":1,"a":2},"caller":{"type":"direct"}}])",
      "tool_use");
  const Response response = ParseResponse(body).value();
  EXPECT_EQ(JoinedText(response.content), "Let me check.");
  EXPECT_EQ(response.content.size(), 5u);
  EXPECT_EQ(std::get<OtherBlock>(response.content[2]).raw, R"({"type":"invented","a":[1,2]})");
  const auto tools = ToolUses(response.content);
  ASSERT_EQ(tools.size(), 1u);
  EXPECT_EQ(tools[0].input.text(), R"({"b":1,"a":2})");
  EXPECT_EQ(response.stop_reason, "tool_use");
  const Usage usage{.input_tokens = 61, .output_tokens = 74, .cache_read_tokens = 1874, .cache_write_tokens = 5};
  EXPECT_EQ(response.usage, usage);
}

TEST(ParseResponse, TakesNullsForAbsent) {
  const Response response = ParseResponse(R"({"content":[],"stop_reason":null,"usage":{"input_tokens":null}})").value();
  EXPECT_EQ(response.stop_reason, "");
  EXPECT_EQ(response.usage, Usage());
}

TEST(ParseResponse, RefusesWhatIsNotAnAnswer) {
  for (const char* body : {"", "null", "[]", "{}", R"({"content":{}})", R"({"content":[1]})", R"({"content":[{}]})",
                           "<html>", R"({"content":[{"type":"tool_use","id":"","name":"x","input":{}}]})",
                           R"({"content":[{"type":"tool_use","id":"a","name":"x","input":[]}]})",
                           R"({"content":[{"type":"tool_use","id":"a","name":"x"}]})"}) {
    EXPECT_EQ(ParseResponse(body).status().code(), absl::StatusCode::kInternal) << body;
  }
  std::string many = "[";
  for (std::size_t i = 0; i <= kMaxResponseBlocks; ++i) many += std::string(i == 0 ? "" : ",") + R"({"type":"x"})";
  EXPECT_FALSE(ParseResponse(testing::AnswerBody(many + "]")).ok());
}

TEST(ParseResponse, RefusesEveryPrefixOfAnAnswer) {
  const std::string whole = testing::TextBody("Of course.");
  ASSERT_TRUE(ParseResponse(whole).ok());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ParseResponse(whole.substr(0, size)).ok()) << "prefix of " << size;
  }
}

TEST(ParseError, TakesOnlyKnownWords) {
  const ApiError known = ParseError(testing::ErrorBody("rate_limit_error", "ramp_limit_exceeded"));
  EXPECT_EQ(known.type, "rate_limit_error");
  EXPECT_EQ(known.code, "ramp_limit_exceeded");
  EXPECT_EQ(known.request_id, "req_body");
  EXPECT_EQ(ParseError(testing::ErrorBody("a patient's name")).type, "other");
  EXPECT_EQ(ParseError(testing::ErrorBody("api_error", "a patient's name")).code, "");
  EXPECT_EQ(ParseError("<html>").type, "");
  EXPECT_EQ(ParseError(R"({"error":"text"})").type, "");
}

TEST(SafeId, DropsWhatIsNotAnId) {
  EXPECT_EQ(SafeId("req_011CSHoEeqs5"), "req_011CSHoEeqs5");
  EXPECT_EQ(SafeId("a b"), "");
  EXPECT_EQ(SafeId("a\nb"), "");
  EXPECT_EQ(SafeId(std::string(65, 'a')), "");
}

}  // namespace
}  // namespace medidesk::assistant::claude
