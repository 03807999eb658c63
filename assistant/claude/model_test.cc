// Model profiles, the probe's parser, the base URL and what goes to another model: small pure functions.
#include <gtest/gtest.h>

#include "assistant/claude/base_url.h"
#include "assistant/claude/fallback_request.h"
#include "assistant/claude/model_probe.h"
#include "assistant/claude/model_profile.h"

namespace medidesk::assistant::claude {
namespace {

constexpr char kDisabled[] = R"({"type":"disabled"})";
constexpr char kBetween[] = R"({"type":"between_tools"})";

TEST(SettingsFor, KnowsTheModelsOfTheFrontDesk) {
  EXPECT_EQ(SettingsFor("claude-haiku-5-5", {}).thinking, kDisabled);
  EXPECT_EQ(SettingsFor("claude-haiku-5-5", {}).effort, "low");
  EXPECT_EQ(SettingsFor("claude-sonnet-5-5", {}).thinking, kBetween);
  EXPECT_EQ(SettingsFor("claude-sonnet-5-5", {}).effort, "low");
  EXPECT_EQ(SettingsFor("claude-haiku-4-5-20251001", {}).thinking, "");
  EXPECT_EQ(SettingsFor("claude-haiku-4-5-20251001", {}).effort, "");
  EXPECT_EQ(SettingsFor("claude-unheard-of", {}).thinking, "");
  EXPECT_EQ(SettingsFor("claude-unheard-of", {}).effort, "");
}

TEST(SettingsFor, FollowsWhatTheProbeFound) {
  Capabilities between;
  between.thinking_between_tools = true;
  EXPECT_EQ(SettingsFor("claude-haiku-5-5", between).thinking, kBetween);
  EXPECT_EQ(SettingsFor("claude-haiku-5-5", between).effort, "");
  Capabilities all;
  all.thinking_disabled = all.thinking_between_tools = all.effort_low = true;
  EXPECT_EQ(SettingsFor("claude-sonnet-5-5", all).thinking, kBetween);
  EXPECT_EQ(SettingsFor("claude-unheard-of", all).thinking, kDisabled);
  EXPECT_EQ(SettingsFor("claude-unheard-of", all).effort, "low");
  EXPECT_EQ(SettingsFor("claude-haiku-4-5", all).thinking, "");
  EXPECT_EQ(SettingsFor("claude-haiku-4-5", all).effort, "");
  EXPECT_EQ(SettingsFor("claude-sonnet-5-5", Capabilities()).thinking, "");
}

TEST(ParseModelInfo, ReadsLifecycleAndCapabilities) {
  const auto info = ParseModelInfo(
      R"({"type":"model","id":"claude-haiku-5-5","lifecycle":"deprecated","retires_at":"2027-10-07T00:00:00Z",)"
      R"("capabilities":{"thinking":{"types":{"disabled":{"supported":true},"adaptive":{"supported":true},)"
      R"("between_tools":{"supported":false}}},"effort":{"low":{"supported":true}}}})");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->lifecycle, "deprecated");
  EXPECT_EQ(info->retires_at, "2027-10-07T00:00:00Z");
  ASSERT_TRUE(info->capabilities.has_value());
  EXPECT_TRUE(info->capabilities->thinking_disabled);
  EXPECT_FALSE(info->capabilities->thinking_between_tools);
  EXPECT_TRUE(info->capabilities->effort_low);
}

TEST(ParseModelInfo, TakesLittleAndRefusesOtherThings) {
  const auto bare = ParseModelInfo(R"({"type":"model","retires_at":"when <b>","lifecycle":"???"})");
  ASSERT_TRUE(bare.ok());
  EXPECT_EQ(bare->lifecycle, "unknown");
  EXPECT_EQ(bare->retires_at, "");
  EXPECT_FALSE(bare->capabilities.has_value());
  for (const char* body : {"", "[]", "{}", "<html>", R"({"type":"error"})"}) EXPECT_FALSE(ParseModelInfo(body).ok());
}

TEST(ParseBaseUrl, ReadsHostPortAndPath) {
  const Origin plain = ParseBaseUrl("https://api.anthropic.com").value();
  EXPECT_TRUE(plain.tls);
  EXPECT_EQ(plain.host, "api.anthropic.com");
  EXPECT_EQ(plain.port, "443");
  EXPECT_EQ(plain.path, "");
  EXPECT_EQ(plain.host_header, "api.anthropic.com");
  const Origin proxy = ParseBaseUrl("http://[::1]:8080/claude/").value();
  EXPECT_FALSE(proxy.tls);
  EXPECT_EQ(proxy.host, "::1");
  EXPECT_EQ(proxy.port, "8080");
  EXPECT_EQ(proxy.path, "/claude");
  EXPECT_EQ(proxy.host_header, "[::1]:8080");
}

TEST(ParseBaseUrl, RefusesTheRest) {
  for (const char* url :
       {"", "api.anthropic.com", "ftp://host", "https://", "https://u:p@host", "https://host?x=1", "https://host#f",
        "https://host:0", "https://host:99999", "https://ho st", "https://h%00st", "https://host/\r\nx-evil: 1"}) {
    EXPECT_EQ(ParseBaseUrl(url).status().code(), absl::StatusCode::kInvalidArgument) << url;
  }
}

Message Turn(Role role, std::vector<ContentBlock> content) {
  Message message;
  message.role = role;
  message.content = std::move(content);
  return message;
}

TEST(ForOtherModel, DropsThinkingAndRestartsAToolLoop) {
  OtherBlock thinking;
  thinking.type = "thinking";
  thinking.raw = "{}";
  ToolUseBlock use;
  use.id = "toolu_1";
  ToolResultBlock result;
  result.tool_use_id = "toolu_1";
  Request request;
  request.messages = {UserText("Hello"), Turn(Role::kAssistant, {thinking, TextBlock{.text = "Hi"}}),
                      UserText("Slots?")};
  FallbackRequest plain = ForOtherModel(request);
  EXPECT_EQ(plain.messages_used, 3u);
  EXPECT_EQ(plain.request.messages[1].content.size(), 1u);

  for (int round = 0; round < 2; ++round) {
    request.messages.push_back(Turn(Role::kAssistant, {thinking, use}));
    request.messages.push_back(Turn(Role::kUser, {result}));
  }
  const FallbackRequest loop = ForOtherModel(request);
  EXPECT_EQ(loop.messages_used, 3u);
  EXPECT_EQ(loop.request.messages.size(), 3u);

  request.messages.push_back(UserText("Thanks"));
  EXPECT_EQ(ForOtherModel(request).messages_used, request.messages.size());
}

}  // namespace
}  // namespace medidesk::assistant::claude
