#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "cli/doctor/checks.h"
#include "cli/doctor/net_stream.h"

namespace medidesk::cli {
namespace {

namespace http = boost::beast::http;
namespace json = boost::json;

constexpr std::chrono::seconds kLimit{5};
constexpr std::string_view kPhone = "+1234567890";  // nobody's
constexpr std::string_view kQuestions[] = {"Hello", "I need to book an appointment", "What are your visiting hours?",
                                           "I need to speak with a doctor"};

struct Answer {
  unsigned status = 0;
  std::string body;
};

absl::StatusOr<Answer> Post(const Endpoint& endpoint, const std::string& key, const std::string& body) {
  MD_ASSIGN_OR_RETURN(const auto stream, NetStream::Connect(endpoint, std::chrono::steady_clock::now() + kLimit));
  const std::string host = endpoint.host.find(':') == std::string::npos ? endpoint.host : "[" + endpoint.host + "]";
  std::string request = fmt::format(
      "POST {} HTTP/1.1\r\nhost: {}:{}\r\nuser-agent: medidesk\r\ncontent-type: application/json\r\n"
      "content-length: {}\r\nconnection: close\r\n",
      endpoint.target, host, endpoint.port, body.size());
  if (!key.empty()) request += fmt::format("apikey: {0}\r\nauthorization: Bearer {0}\r\n", key);
  MD_RETURN_IF_ERROR(stream->Write(request + "\r\n" + body));

  http::response_parser<http::string_body> parser;
  parser.body_limit(1u << 20);
  parser.eager(true);
  std::string unread;
  while (!parser.is_done()) {
    MD_ASSIGN_OR_RETURN(const std::string more, stream->ReadSome());
    unread += more;
    boost::system::error_code error;
    if (more.empty()) {
      parser.put_eof(error);
    } else {
      while (!unread.empty() && !parser.is_done() && !error) {
        const std::size_t used = parser.put(boost::asio::buffer(unread), error);
        unread.erase(0, used);
        if (used == 0) break;
      }
      if (error == http::error::need_more) error = {};
    }
    if (error || (more.empty() && !parser.is_done())) {
      return Error(absl::StatusCode::kInternal, "what answers there does not speak HTTP");
    }
  }
  return Answer{parser.get().result_int(), parser.get().body()};
}

Finding Problem(std::string what, std::string cure) {
  return {FindingLevel::kError, "webhook", std::move(what), std::move(cure)};
}

Finding JudgeStatus(unsigned status) {
  const std::string what = fmt::format("the webhook answers with {}", status);
  switch (status) {
    case 401:
    case 403:
      return Problem(what + ": the key is missing or wrong", "give the webhook's key with --key or WEBHOOK_KEY");
    case 404:
    case 405:
      return Problem(what + ": it is not at this address", "let the URL end in /functions/v1/whatsapp-webhook");
    case 429:
      return Problem(what + ": a rate limit", "wait a minute, or raise WEBHOOK_RATE_* there");
    default:
      return Problem(what, "look at /readyz and the logs of that deployment; run doctor there");
  }
}

// nullopt: the answer is as it should be.
std::optional<Finding> Judge(const Answer& answer) {
  if (answer.status != 200) return JudgeStatus(answer.status);
  json::error_code error;
  const json::value value = json::parse(answer.body, error);
  const json::object* const object = error ? nullptr : value.if_object();
  const auto field = [&](const char* name) { return object == nullptr ? nullptr : object->if_contains(name); };
  const json::value* const success = field("success");
  if (success == nullptr || !success->is_bool() || !success->get_bool()) {
    return Problem("the webhook's answer does not say success", "check that the URL is MediDesk's webhook");
  }
  const json::value* const response = field("response");
  if (response != nullptr && response->is_string() && !response->get_string().empty()) return std::nullopt;
  const json::value* const status = field("status");
  if (status != nullptr && status->is_string() && status->get_string() == "human_takeover") {
    return Problem("the test conversation is in a person's hands, so nothing is answered",
                   fmt::format("hand the conversation of {} back, then try again", kPhone));
  }
  return Problem("the webhook answers with an empty response", "look at the logs of that deployment");
}

}  // namespace

FindingList CheckWebhook(const std::string& url, const std::string& key) {
  const auto endpoint = ParseEndpoint(url);
  if (!endpoint.ok()) {
    return {Problem("the webhook's URL is malformed", "write it as https://host/functions/v1/whatsapp-webhook")};
  }
  for (const char c : key) {
    if (c <= 0x20 || c == 0x7F) return {Problem("the key holds a space or control character", "correct --key")};
  }
  const auto run =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  FindingList findings;
  for (std::size_t i = 0; i < std::size(kQuestions); ++i) {
    const json::object body{
        {"phone", kPhone}, {"message", kQuestions[i]}, {"messageId", fmt::format("doctor-{}-{}", run, i)}};
    const auto start = std::chrono::steady_clock::now();
    const absl::StatusOr<Answer> answer = Post(*endpoint, key, json::serialize(body));
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
    std::optional<Finding> problem;
    if (!answer.ok()) {
      problem = answer.status().code() == absl::StatusCode::kDeadlineExceeded
                    ? Problem("the webhook takes more than 5 s",
                              "run doctor there: Claude or the database may be slow or away")
                    : Problem(fmt::format("the webhook cannot be reached: {}", Text(answer.status())),
                              "correct the URL, start MediDesk there, or open the firewall");
    } else {
      problem = Judge(*answer);
    }
    if (problem) {
      problem->what = fmt::format("question {}: {}", i + 1, problem->what);
      findings.push_back(*std::move(problem));
      break;  // the others would say the same
    }
    findings.push_back(
        {FindingLevel::kOk, "webhook", fmt::format("question {} is answered in {} ms", i + 1, took.count()), ""});
  }
  return findings;
}

}  // namespace medidesk::cli
