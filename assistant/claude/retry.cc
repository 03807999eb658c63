#include "assistant/claude/retry.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace medidesk::assistant::claude {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<milliseconds> Usable(double millis) {
  if (!(millis > 0) || millis > 2147483647.0) return std::nullopt;
  return milliseconds(static_cast<std::int64_t>(std::ceil(millis)));
}

std::optional<int> Digits(std::string_view text) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || text.front() == '-') return std::nullopt;
  return value;
}

// IMF-fixdate (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
std::optional<system_clock::time_point> ParseHttpDate(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" || text[7] != ' ' ||
      text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':') {
    return std::nullopt;
  }
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const auto day = Digits(text.substr(5, 2)), year = Digits(text.substr(12, 4));
  const auto hour = Digits(text.substr(17, 2)), minute = Digits(text.substr(20, 2)),
             second = Digits(text.substr(23, 2));
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

// What the status means before any header is looked at.
Verdict ByStatus(int status, std::string_view type, std::string_view code) {
  Verdict verdict;
  verdict.retry = status == 408 || status == 409 || status == 429 || status >= 500;
  verdict.fallback = verdict.retry;
  switch (status) {
    case 404:
      verdict.trouble = Trouble::kModelGone;
      verdict.fallback = true;
      verdict.alarm = true;
      return verdict;
    case 429:
      verdict.trouble = Trouble::kRateLimited;
      return verdict;
    case 504:
      verdict.trouble = Trouble::kTimeout;
      return verdict;
    case 529:
      verdict.trouble = Trouble::kOverloaded;
      return verdict;
    case 401:
    case 402:
    case 403:
      verdict.trouble = Trouble::kAccount;
      verdict.alarm = true;
      return verdict;
    default:
      break;
  }
  if (verdict.retry) {
    verdict.trouble = Trouble::kServer;
  } else {
    verdict.alarm = true;
    const bool account = code == "organization_on_hold" || code.ends_with("spend_limit_reached");
    verdict.trouble = account ? Trouble::kAccount : Trouble::kRejected;
    if (status < 400 && type.empty()) verdict.trouble = Trouble::kMalformed;  // a redirect: the base URL is wrong
  }
  return verdict;
}

}  // namespace

std::string_view Name(Trouble trouble) {
  switch (trouble) {
    case Trouble::kNone:
      return "ok";
    case Trouble::kRateLimited:
      return "rate_limited";
    case Trouble::kOverloaded:
      return "overloaded";
    case Trouble::kServer:
      return "server_error";
    case Trouble::kTimeout:
      return "timeout";
    case Trouble::kConnection:
      return "connection";
    case Trouble::kMalformed:
      return "malformed";
    case Trouble::kModelGone:
      return "model_gone";
    case Trouble::kRejected:
      return "rejected";
    case Trouble::kAccount:
      return "account";
    case Trouble::kRefused:
      return "refused";
    case Trouble::kCut:
      return "cut";
    case Trouble::kEmpty:
      return "empty";
    case Trouble::kBusy:
      return "busy";
    case Trouble::kSkipped:
      return "skipped";
    case Trouble::kCancelled:
      return "cancelled";
  }
  return "other";
}

Verdict Classify(const HttpHead& head, const ApiError& error, system_clock::time_point wall_now) {
  Verdict verdict = ByStatus(head.status, error.type, error.code);
  verdict.wait = RetryAfter(head.headers, wall_now);
  if (head.status == 429 && !verdict.wait && error.code.ends_with("spend_limit_reached")) {
    verdict.trouble = Trouble::kAccount;  // the month's cap: the same for every model
    verdict.retry = false;
    verdict.fallback = false;
    verdict.alarm = true;
    return verdict;
  }
  const std::string_view should_retry = head.headers.Find("x-should-retry");
  if (should_retry == "true") verdict.retry = true;
  if (should_retry == "false") verdict.retry = false;
  return verdict;
}

Verdict ClassifyStreamError(const ApiError& error) {
  int status = 500;
  if (error.type == "overloaded_error") status = 529;
  if (error.type == "rate_limit_error") status = 429;
  if (error.type == "timeout_error") status = 504;
  if (error.type == "conflict_error") status = 409;
  if (error.type == "invalid_request_error") status = 400;
  if (error.type == "authentication_error") status = 401;
  if (error.type == "billing_error") status = 402;
  if (error.type == "permission_error") status = 403;
  if (error.type == "not_found_error") status = 404;
  if (error.type == "request_too_large") status = 413;
  HttpHead head;
  head.status = status;
  return Classify(head, error, {});
}

Verdict ClassifyTransport(const absl::Status& status) {
  Verdict verdict;
  verdict.retry = true;
  verdict.fallback = true;
  switch (status.code()) {
    case absl::StatusCode::kDeadlineExceeded:
      verdict.trouble = Trouble::kTimeout;
      break;
    case absl::StatusCode::kResourceExhausted:
      verdict.trouble = Trouble::kBusy;  // another model would wait for the same connections
      verdict.retry = false;
      verdict.fallback = false;
      break;
    case absl::StatusCode::kInternal:
      verdict.trouble = Trouble::kMalformed;
      break;
    case absl::StatusCode::kCancelled:
      verdict.trouble = Trouble::kCancelled;
      verdict.retry = false;
      verdict.fallback = false;
      break;
    default:
      verdict.trouble = Trouble::kConnection;
  }
  return verdict;
}

milliseconds WaitBeforeRetry(const Verdict& verdict, int retry, double random) {
  if (verdict.wait) return *verdict.wait;
  const double seconds = std::min(0.5 * std::pow(2.0, std::clamp(retry, 0, 16)), 8.0);
  return milliseconds(static_cast<std::int64_t>(seconds * 1000 * (1 - random * 0.25)));
}

std::optional<milliseconds> RetryAfter(const HttpHeaders& headers, system_clock::time_point wall_now) {
  if (const auto millis = ParseNumber(headers.Find("retry-after-ms"))) {
    if (const auto usable = Usable(*millis)) return usable;
  }
  const std::string_view after = headers.Find("retry-after");
  if (const auto seconds = ParseNumber(after)) return Usable(*seconds * 1000);
  if (const auto date = ParseHttpDate(after)) {
    return Usable(std::chrono::duration<double, std::milli>(*date - wall_now).count());
  }
  return std::nullopt;
}

}  // namespace medidesk::assistant::claude
