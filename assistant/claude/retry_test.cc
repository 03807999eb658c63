#include "assistant/claude/retry.h"

#include <gtest/gtest.h>

namespace medidesk::assistant::claude {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

// Sun, 06 Nov 1994 08:49:37 GMT
const system_clock::time_point kNow = system_clock::from_time_t(784'111'777);

HttpHead Head(int status, std::vector<std::pair<std::string, std::string>> headers = {}) {
  HttpHead head;
  head.status = status;
  head.headers = HttpHeaders(std::move(headers));
  return head;
}

ApiError Of(std::string type, std::string code = {}) {
  ApiError error;
  error.type = std::move(type);
  error.code = std::move(code);
  return error;
}

struct Row {
  int status;
  const char* type;
  Trouble trouble;
  bool retry, fallback, alarm;
};

TEST(Classify, FollowsTheTable) {
  const Row rows[] = {
      {400, "invalid_request_error", Trouble::kRejected, false, false, true},
      {401, "authentication_error", Trouble::kAccount, false, false, true},
      {402, "billing_error", Trouble::kAccount, false, false, true},
      {403, "permission_error", Trouble::kAccount, false, false, true},
      {404, "not_found_error", Trouble::kModelGone, false, true, true},
      {408, "", Trouble::kServer, true, true, false},
      {409, "conflict_error", Trouble::kServer, true, true, false},
      {413, "request_too_large", Trouble::kRejected, false, false, true},
      {422, "invalid_request_error", Trouble::kRejected, false, false, true},
      {429, "rate_limit_error", Trouble::kRateLimited, true, true, false},
      {500, "api_error", Trouble::kServer, true, true, false},
      {502, "", Trouble::kServer, true, true, false},
      {503, "", Trouble::kServer, true, true, false},
      {504, "timeout_error", Trouble::kTimeout, true, true, false},
      {529, "overloaded_error", Trouble::kOverloaded, true, true, false},
      {302, "", Trouble::kMalformed, false, false, true},
      {204, "", Trouble::kMalformed, false, false, true},
  };
  for (const Row& row : rows) {
    const Verdict verdict = Classify(Head(row.status), Of(row.type), kNow);
    EXPECT_EQ(verdict.trouble, row.trouble) << row.status;
    EXPECT_EQ(verdict.retry, row.retry) << row.status;
    EXPECT_EQ(verdict.fallback, row.fallback) << row.status;
    EXPECT_EQ(verdict.alarm, row.alarm) << row.status;
  }
}

TEST(Classify, LetsTheServersWordWin) {
  EXPECT_FALSE(Classify(Head(500, {{"X-Should-Retry", "false"}}), {}, kNow).retry);
  EXPECT_TRUE(Classify(Head(400, {{"x-should-retry", "true"}}), {}, kNow).retry);
  EXPECT_TRUE(Classify(Head(500, {{"x-should-retry", "perhaps"}}), {}, kNow).retry);
}

TEST(Classify, SeesASpendLimitBehindA429) {
  for (const char* code : {"enforced_spend_limit_reached", "contract_spend_limit_reached"}) {
    const Verdict verdict = Classify(Head(429), Of("rate_limit_error", code), kNow);
    EXPECT_EQ(verdict.trouble, Trouble::kAccount);
    EXPECT_FALSE(verdict.retry);
    EXPECT_FALSE(verdict.fallback);
    EXPECT_TRUE(verdict.alarm);
  }
  EXPECT_TRUE(Classify(Head(429), Of("rate_limit_error", "ramp_limit_exceeded"), kNow).retry);
  EXPECT_TRUE(Classify(Head(429, {{"retry-after", "3"}}), Of("", "enforced_spend_limit_reached"), kNow).retry);
  EXPECT_EQ(Classify(Head(400), Of("invalid_request_error", "organization_on_hold"), kNow).trouble, Trouble::kAccount);
}

TEST(ClassifyStreamError, MapsByType) {
  EXPECT_EQ(ClassifyStreamError(Of("overloaded_error")).trouble, Trouble::kOverloaded);
  EXPECT_EQ(ClassifyStreamError(Of("rate_limit_error")).trouble, Trouble::kRateLimited);
  EXPECT_EQ(ClassifyStreamError(Of("timeout_error")).trouble, Trouble::kTimeout);
  EXPECT_EQ(ClassifyStreamError(Of("api_error")).trouble, Trouble::kServer);
  EXPECT_EQ(ClassifyStreamError(Of("invented")).trouble, Trouble::kServer);
  EXPECT_EQ(ClassifyStreamError(Of("invalid_request_error")).trouble, Trouble::kRejected);
  EXPECT_EQ(ClassifyStreamError(Of("authentication_error")).trouble, Trouble::kAccount);
  EXPECT_EQ(ClassifyStreamError(Of("billing_error")).trouble, Trouble::kAccount);
  EXPECT_EQ(ClassifyStreamError(Of("permission_error")).trouble, Trouble::kAccount);
  EXPECT_EQ(ClassifyStreamError(Of("not_found_error")).trouble, Trouble::kModelGone);
  EXPECT_EQ(ClassifyStreamError(Of("request_too_large")).trouble, Trouble::kRejected);
  EXPECT_EQ(ClassifyStreamError(Of("conflict_error")).trouble, Trouble::kServer);
}

TEST(ClassifyTransport, RetriesWhatTheNetworkDid) {
  for (const auto code :
       {absl::StatusCode::kUnavailable, absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kInternal}) {
    const Verdict verdict = ClassifyTransport(Error(code, "x"));
    EXPECT_TRUE(verdict.retry);
    EXPECT_TRUE(verdict.fallback);
  }
  for (const auto code : {absl::StatusCode::kResourceExhausted, absl::StatusCode::kCancelled}) {
    const Verdict verdict = ClassifyTransport(Error(code, "x"));
    EXPECT_FALSE(verdict.retry);
    EXPECT_FALSE(verdict.fallback);
  }
}

TEST(RetryAfter, ReadsMillisecondsThenSecondsThenADate) {
  const auto after = [](std::vector<std::pair<std::string, std::string>> headers) {
    return RetryAfter(HttpHeaders(std::move(headers)), kNow);
  };
  EXPECT_EQ(after({{"retry-after-ms", "1500.5"}, {"retry-after", "9"}}), milliseconds(1501));
  EXPECT_EQ(after({{"Retry-After", "1"}}), milliseconds(1000));
  EXPECT_EQ(after({{"retry-after", "0.25"}}), milliseconds(250));
  EXPECT_EQ(after({{"retry-after", "Sun, 06 Nov 1994 08:49:40 GMT"}}), milliseconds(3000));
  EXPECT_EQ(after({{"retry-after-ms", "soon"}, {"retry-after", "2"}}), milliseconds(2000));
  EXPECT_EQ(after({{"retry-after-ms", "0"}, {"retry-after", "2"}}), milliseconds(2000));
  for (const char* bad :
       {"", "0", "-1", "nan", "inf", "1e300", "2147484", "1 s", "Sun, 06 Nov 1994 08:49:36 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 2199 08:49:40 GMT", "Sun, 06 Now 2099 08:49:40 GMT",
        "Sun, 06 Nov 2099 25:49:40 GMT", "Sun, 06 Nov 2099 08:49:40 CET", "Sun, -6 Nov 2099 08:49:40 GMT"}) {
    EXPECT_EQ(after({{"retry-after", bad}}), std::nullopt) << bad;
  }
  EXPECT_EQ(after({}), std::nullopt);
}

TEST(WaitBeforeRetry, DoublesUpToEightSecondsLessAQuarterAtMost) {
  const Verdict none;
  const int most[] = {500, 1000, 2000, 4000, 8000, 8000, 8000};
  for (int retry = 0; retry < 7; ++retry) {
    EXPECT_EQ(WaitBeforeRetry(none, retry, 0.0), milliseconds(most[retry]));
    EXPECT_EQ(WaitBeforeRetry(none, retry, 1.0), milliseconds(most[retry] * 3 / 4));
  }
  EXPECT_EQ(WaitBeforeRetry(none, 1'000'000, 0.0), milliseconds(8000));
  Verdict asked;
  asked.wait = milliseconds(12'345);
  EXPECT_EQ(WaitBeforeRetry(asked, 0, 0.5), milliseconds(12'345));
}

TEST(Name, IsAClosedSetOfWords) {
  EXPECT_EQ(Name(Trouble::kNone), "ok");
  EXPECT_EQ(Name(Trouble::kCancelled), "cancelled");
}

}  // namespace
}  // namespace medidesk::assistant::claude
