#include "assistant/claude/account_check.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <exception>
#include <optional>
#include <string>

#include "assistant/claude/base_url.h"
#include "assistant/claude/connection_pool.h"
#include "assistant/claude/model_probe.h"
#include "assistant/claude/model_profile.h"

namespace medidesk::assistant::claude {
namespace {

namespace asio = boost::asio;

constexpr int kSoon = 60;                // days
constexpr std::time_t kClockSlack = 10;  // seconds; the Date header has whole ones
constexpr std::string_view kOtherModel =
    "set MEDIDESK_MODEL and MEDIDESK_FALLBACK_MODEL to models that are offered, e.g. claude-haiku-5-5";

constexpr struct {
  std::string_view model, last_day;
} kAnnounced[] = {
    {"claude-sonnet-4-5", "2026-11-30"},          {"claude-sonnet-4-5-20250929", "2026-11-30"},
    {"claude-sonnet-4-20250514", "2026-06-15"},   {"claude-opus-4-20250514", "2026-06-15"},
    {"claude-opus-4-1-20250805", "2026-08-05"},   {"claude-3-haiku-20240307", "2026-04-20"},
    {"claude-3-7-sonnet-20250219", "2026-02-19"}, {"claude-3-5-haiku-20241022", "2026-02-19"},
};

struct Answer {
  int status = 0;
  std::string date, body;
};

asio::awaitable<absl::StatusOr<Answer>> AskAbout(ConnectionPool& pool, const ApiKey& key, std::string model,
                                                 Deadline deadline) {
  HttpRequest request;
  request.method = "GET";
  request.target = "/v1/models/" + model;
  request.headers.Add("x-api-key", key.Expose());
  request.headers.Add("anthropic-version", "2026-10-21");
  request.headers.Add("accept", "application/json");
  request.headers.Add("user-agent", "medidesk");
  absl::StatusOr<ConnectionPool::Answer> answer = co_await pool.Send(std::move(request), deadline);
  if (!answer.ok()) co_return std::move(answer).status();
  absl::StatusOr<std::string> body = co_await answer->ReadAll(deadline);
  if (!body.ok()) co_return std::move(body).status();
  Answer out;
  out.status = answer->head.status;
  out.date = answer->head.headers.Find("date");
  out.body = *std::move(body);
  co_return out;
}

// Days since 1970 of YYYY-MM-DD; nullopt for anything else.
std::optional<long> Days(std::string_view day) {
  std::tm time{};
  if (day.size() < 10 || strptime(std::string(day.substr(0, 10)).c_str(), "%Y-%m-%d", &time) == nullptr) return {};
  return static_cast<long>(timegm(&time) / 86400);
}

Finding Refused(int status) {
  switch (status) {
    case 401:
      return {FindingLevel::kError, "claude", "the Claude API refuses the key",
              "put a valid key into ANTHROPIC_API_KEY (console: API keys)"};
    case 402:
      return {FindingLevel::kError, "claude", "the Claude account cannot pay", "settle the account's billing"};
    case 403:
      return {FindingLevel::kError, "claude", "the key has no rights here",
              "give the key's workspace access to the models, or use another key in ANTHROPIC_API_KEY"};
    case 429:
      return {FindingLevel::kWarning, "claude", "the Claude API's rate limit is reached",
              "raise the account's limits, or send less"};
    default:
      break;
  }
  if (status >= 500) {
    return {FindingLevel::kWarning, "claude", fmt::format("the Claude API is out of service ({})", status),
            "wait: the fallback model and the stored facts answer meanwhile"};
  }
  return {FindingLevel::kError, "claude", fmt::format("the Claude API answers with {}", status),
          "correct ANTHROPIC_BASE_URL: it is the address before /v1"};
}

Finding JudgeModel(const std::string& model, const Answer& answer, std::string_view today) {
  if (answer.status == 404) {
    const std::string_view last_day = AnnouncedEnd(model);
    if (!last_day.empty() && last_day <= today) return JudgeEnd(model, last_day, today);
    return {FindingLevel::kError, "claude", fmt::format("the Claude API does not know the model {}", model),
            std::string(kOtherModel)};
  }
  const absl::StatusOr<ModelInfo> info = ParseModelInfo(answer.body);
  if (!info.ok()) {
    return {FindingLevel::kError, "claude", "what answers at ANTHROPIC_BASE_URL is not the Claude API",
            "correct ANTHROPIC_BASE_URL: it is the address before /v1"};
  }
  if (info->lifecycle == "retired" && info->retires_at.empty()) {
    return {FindingLevel::kError, "claude", fmt::format("the model {} is retired", model), std::string(kOtherModel)};
  }
  return JudgeEnd(model, info->retires_at.empty() ? AnnouncedEnd(model) : std::string_view(info->retires_at), today);
}

std::optional<Finding> JudgeClock(const std::string& date) {
  std::tm time{};
  if (date.empty() || strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time) == nullptr) return {};
  const std::time_t apart = std::abs(timegm(&time) - std::time(nullptr));
  if (apart <= kClockSlack) return Finding{FindingLevel::kOk, "clock", "the Claude API's clock agrees with ours", ""};
  return Finding{FindingLevel::kWarning, "clock", fmt::format("our clock and the Claude API's are {} s apart", apart),
                 "let this machine follow a time server (systemd-timesyncd, chrony)"};
}

}  // namespace

std::string_view AnnouncedEnd(std::string_view model) {
  for (const auto& known : kAnnounced) {
    if (known.model == model) return known.last_day;
  }
  return {};
}

Finding JudgeEnd(std::string_view model, std::string_view last_day, std::string_view today) {
  const auto end = Days(last_day), now = Days(today);
  if (!end || !now || *end - *now > kSoon) {
    return {FindingLevel::kOk, "claude", fmt::format("{} is offered", model), ""};
  }
  const std::string_view day = last_day.substr(0, 10);
  if (*end <= *now) {
    return {FindingLevel::kError, "claude", fmt::format("the model {} was retired on {}", model, day),
            std::string(kOtherModel)};
  }
  return {FindingLevel::kWarning, "claude",
          fmt::format("the model {} retires on {}, in {} days", model, day, *end - *now), std::string(kOtherModel)};
}

std::vector<Finding> CheckAccount(const ClientOptions& options, std::chrono::milliseconds limit) {
  const auto broken = [](std::string_view what, std::string cure) {
    return std::vector<Finding>{{FindingLevel::kError, "claude", std::string(what), std::move(cure)}};
  };
  const std::string& key = options.api_key.Expose();
  if (!std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7F; })) {
    return broken("ANTHROPIC_API_KEY holds a space or a character that no key has",
                  "copy the key anew, without spaces");
  }
  std::vector<std::string> models = {options.model};
  if (!options.fallback_model.empty() && options.fallback_model != options.model) {
    models.push_back(options.fallback_model);
  }
  for (const std::string& model : models) {
    if (!IsModelId(model)) return broken("a model's id is malformed", std::string(kOtherModel));
  }
  ConnectionPool::Options pool_options;
  const auto origin = ParseBaseUrl(options.base_url);
  if (!origin.ok()) return broken("ANTHROPIC_BASE_URL is malformed", "write it as https://api.anthropic.com");
  pool_options.origin = *origin;
  pool_options.connect_timeout = limit;
  pool_options.ca_file = options.ca_file;

  asio::io_context io(1);
  auto pool = ConnectionPool::Make(io.get_executor(), std::move(pool_options));
  if (!pool.ok()) return broken("ANTHROPIC_CA_FILE cannot be read", "let it name a PEM file that is readable");

  std::vector<Finding> findings;
  const std::string today = fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)));
  for (const std::string& model : models) {
    absl::StatusOr<Answer> answer = Error(absl::StatusCode::kDeadlineExceeded, "");
    try {
      auto future =
          asio::co_spawn(io, AskAbout(**pool, options.api_key, model, Clock::now() + limit), asio::use_future);
      io.restart();
      io.run_for(limit + std::chrono::milliseconds(500));
      if (future.wait_for(std::chrono::seconds(0)) == std::future_status::ready) answer = future.get();
    } catch (const std::exception&) {
      answer = Error(absl::StatusCode::kUnavailable, "");
    }
    if (!answer.ok()) {
      findings.push_back({FindingLevel::kError, "claude",
                          answer.status().code() == absl::StatusCode::kDeadlineExceeded
                              ? "the Claude API does not answer in time"
                              : "the Claude API cannot be reached",
                          "check ANTHROPIC_BASE_URL, DNS, firewall and the proxy's certificate (ANTHROPIC_CA_FILE)"});
      break;
    }
    if (findings.empty()) {
      if (auto clock = JudgeClock(answer->date)) findings.push_back(*std::move(clock));
    }
    if (answer->status != 200 && answer->status != 404) {
      findings.push_back(Refused(answer->status));
      break;  // the same for every model
    }
    findings.push_back(JudgeModel(model, *answer, today));
  }
  return findings;
}

}  // namespace medidesk::assistant::claude
