#include "assistant/service/answer_maker.h"

#include <algorithm>
#include <utility>

#include "assistant/checks/output_checks.h"
#include "assistant/checks/sentence_stream.h"
#include "assistant/facts/fact_answerer.h"
#include "base/log.h"

namespace medidesk::assistant {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

CheckContext ContextOfChecks(const SiteFacts& site) {
  CheckContext context;
  const store::v1::GetFactsResponse& facts = site.prompt->book->facts();
  context.allowed_link_hosts.assign(facts.hospital().allowed_link_hosts().begin(),
                                    facts.hospital().allowed_link_hosts().end());
  const std::string& email = facts.hospital().email();
  if (const std::size_t at = email.find('@'); at != std::string::npos) {
    context.allowed_email_hosts.push_back(email.substr(at + 1));
  }
  return context;
}

absl::Status Stopped(std::string_view rule) {
  return Error(absl::StatusCode::kFailedPrecondition, "output check: " + std::string(rule));
}

}  // namespace

std::string AnswerMaker::Disclosure(const SiteFacts& site, const store::v1::Turn& turn,
                                    const std::string& language) const {
  if (!turn.first_contact()) return "";
  return texts_.Fixed(safety::FixedKind::kDisclosure, language, site.contacts) + "\n\n";
}

asio::awaitable<absl::StatusOr<Answer>> AnswerMaker::AskModel(const SiteFacts& site, const store::v1::Turn& turn,
                                                              const std::string& language, Clock::time_point deadline,
                                                              OnSentence on_sentence) {
  TurnContext context = BuildContext(*site.prompt, turn, language, std::chrono::system_clock::now(), options_.context);
  const CheckContext checks = ContextOfChecks(site);
  const std::string disclosure = Disclosure(site, turn, language);
  absl::StatusOr<claude::Result> result = Error(absl::StatusCode::kUnknown, "");
  if (on_sentence) {
    SentenceStream sentences;
    bool first = true, listening = true;
    std::string stopped_by;
    const auto send = [&](std::string sentence) -> asio::awaitable<absl::Status> {
      const CheckResult check = CheckReply(sentence, checks);
      if (!check.passed && check.rule != "empty") {
        stopped_by = check.rule;
        co_return Stopped(check.rule);
      }
      if (check.text.empty() || !listening) co_return absl::OkStatus();
      // The check trims; line breaks before a sentence belong to the text.
      const std::string breaks(
          static_cast<std::size_t>(std::count(
              sentence.begin(),
              sentence.begin() + std::min<std::ptrdiff_t>(sentence.find_first_not_of(" \t\r\n"), sentence.size()),
              '\n')),
          '\n');
      std::string piece = first ? disclosure + check.text : (breaks.empty() ? " " : breaks) + check.text;
      first = false;
      listening = co_await on_sentence(std::move(piece));
      co_return absl::OkStatus();
    };
    const claude::OnText on_text = [&](std::string_view text) -> asio::awaitable<absl::Status> {
      for (std::string& sentence : sentences.Feed(text)) {
        std::string one = std::move(sentence);
        const absl::Status sent = co_await send(std::move(one));
        if (!sent.ok()) co_return sent;
      }
      co_return absl::OkStatus();
    };
    result = co_await client_->Stream(std::move(context.request), deadline, on_text);
    if (result.ok()) {
      for (std::string& sentence : sentences.Flush()) {
        std::string one = std::move(sentence);
        const absl::Status sent = co_await send(std::move(one));
        if (!sent.ok()) break;  // the check of the whole text below says so, too
      }
    }
    if (!stopped_by.empty()) {
      metrics_.OnCheckFailed(stopped_by);
      co_return Stopped(stopped_by);
    }
  } else {
    result = co_await client_->Ask(std::move(context.request), deadline);
  }
  if (!result.ok()) co_return result.status();

  CheckResult check = CheckReply(result->text, checks);
  if (!check.passed) {
    metrics_.OnCheckFailed(check.rule);
    log::Warning("answer_stopped", {{"turn", log::Public(turn.id())}, {"rule", log::Public(check.rule)}});
    co_return Stopped(check.rule);
  }
  Answer answer;
  answer.text = disclosure + check.text;
  answer.source = result->model;
  answer.outcome = result->used_fallback ? "fallback_model" : "model";
  co_return answer;
}

Answer AnswerMaker::FromFacts(const SiteFacts& site, const store::v1::Turn& turn, const std::string& language,
                              bool model_failed) const {
  const std::string question = JoinedTexts(turn);
  const FactAnswer found = AnswerFromFacts(*site.prompt->book, question, language, std::chrono::system_clock::now());
  Answer answer;
  if (!found.known && model_failed) {
    // The model might have known: say that somebody will, and see to it.
    answer.text = texts_.Fixed(safety::FixedKind::kApology, language, site.contacts);
    answer.source = answer.outcome = "apology";
    answer.task_reason = "no_answer";
    return answer;
  }
  // The greeting discloses by itself.
  answer.text = (found.source == "greeting" ? std::string() : Disclosure(site, turn, language)) + found.text;
  answer.source = answer.outcome = "facts";
  // A fact is missing: staff sees which questions were asked in vain.
  if (!found.known && found.source == "none") answer.task_reason = "no_answer";
  return answer;
}

asio::awaitable<Answer> AnswerMaker::Make(const store::v1::Turn& turn, std::string language, Clock::time_point deadline,
                                          OnSentence on_sentence) {
  const std::shared_ptr<const SiteFacts> site = facts_.Current();
  if (client_ == nullptr) co_return FromFacts(*site, turn, language, /*model_failed=*/false);
  const Clock::time_point model_deadline = std::min(deadline, Clock::now() + options_.model_budget);
  const absl::StatusOr<Answer> answer =
      co_await AskModel(*site, turn, language, model_deadline, std::move(on_sentence));
  if (answer.ok()) co_return *answer;
  log::Warning("model_gave_no_answer", {{"turn", log::Public(turn.id())},
                                        {"code", static_cast<int>(answer.status().code())},
                                        {"trouble", log::Public(claude::Name(claude::TroubleOf(answer.status())))}});
  co_return FromFacts(*site, turn, language, /*model_failed=*/true);
}

}  // namespace medidesk::assistant
