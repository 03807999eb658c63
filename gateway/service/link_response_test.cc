#include "gateway/service/link_response.h"

#include <gtest/gtest.h>

namespace medidesk::gateway {
namespace {

using std::chrono::seconds;

TEST(ToLinkResponse, DrawsAQrCode) {
  const wa::QrCodeShown shown{.text = "2@ref,a,b,c", .index = 2, .count = 6, .expires = wa::WallTime(seconds(90))};
  const auto response = ToLinkResponse(shown);
  ASSERT_TRUE(response && response->has_qr_code());
  EXPECT_EQ(response->qr_code().text(), shown.text);
  EXPECT_FALSE(response->qr_code().svg().empty());
  EXPECT_FALSE(response->qr_code().terminal().empty());
  EXPECT_EQ(response->qr_code().expire_time().seconds(), 90);
  EXPECT_EQ(response->qr_code().index(), 2);
  EXPECT_EQ(response->qr_code().count(), 6);
}

TEST(ToLinkResponse, TellsWhyItFailed) {
  const wa::LinkFailed failed{.reason = wa::LinkFailure::kRateLimited,
                              .server_code = 429,
                              .advice = "wait",
                              .retry_at = wa::WallTime(seconds(7))};
  const auto response = ToLinkResponse(failed);
  ASSERT_TRUE(response && response->has_failed());
  EXPECT_EQ(response->failed().reason(), v1::LINK_FAILURE_RATE_LIMITED);
  EXPECT_EQ(response->failed().server_code(), 429);
  EXPECT_EQ(response->failed().advice(), "wait");
  EXPECT_EQ(response->failed().retry_time().seconds(), 7);
}

TEST(ToLinkResponse, HandsThePasskeyOptionsOnAsTheyCameWithAScriptAroundThem) {
  const std::string options = R"({"challenge":"AAAA","rpId":"whatsapp.com"})";
  const wa::PasskeyRequested wanted{.options_json = options, .expires = wa::WallTime(seconds(1))};
  const auto response = ToLinkResponse(wanted);
  ASSERT_TRUE(response && response->has_passkey_request());
  EXPECT_EQ(response->passkey_request().options_json(), options);
  EXPECT_NE(response->passkey_request().console_script().find("const options = " + options + ";"), std::string::npos);
}

TEST(ToLinkResponse, KnowsEveryStepAndReason) {
  for (const auto step : {wa::LinkStep::kConnecting, wa::LinkStep::kEnableLinkedDevices, wa::LinkStep::kConfirming,
                          wa::LinkStep::kWaitingForPhone, wa::LinkStep::kLoggingIn}) {
    EXPECT_TRUE(v1::LinkStep_IsValid(static_cast<int>(ToLinkResponse(wa::LinkProgress{step})->progress().step())));
  }
  for (const auto reason : {wa::LinkFailure::kExpired, wa::LinkFailure::kOtherPhone, wa::LinkFailure::kServer}) {
    const wa::LinkFailed failed{.reason = reason, .advice = {}};
    EXPECT_TRUE(v1::LinkFailure_IsValid(static_cast<int>(ToLinkResponse(failed)->failed().reason())));
  }
}

TEST(ToLinkResponse, SaysNothingOfOtherEvents) {
  EXPECT_FALSE(ToLinkResponse(wa::CaughtUp{}).has_value());
  EXPECT_FALSE(ToLinkResponse(wa::StateChanged{.state = wa::ConnectionState::kConnected, .reason = {}}).has_value());
}

}  // namespace
}  // namespace medidesk::gateway
