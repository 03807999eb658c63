#include "assistant/service/answer_maker.h"

#include <algorithm>
#include <utility>

#include "assistant/checks/output_checks.h"
#include "assistant/checks/sentence_stream.h"
#include "assistant/facts/clock_text.h"
#include "assistant/facts/fact_answerer.h"
#include "base/log.h"
#include "safety/language.h"

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

// The one tool: how the model says that a person is needed. What it gives is a code, never words of its own.
constexpr std::string_view kHandOver = "hand_over_to_staff";
const claude::RawJson& Tools() {
  static const claude::RawJson tools = *claude::RawJson::Parse(
      R"([{"name":"hand_over_to_staff","description":"Gives this chat to a member of the hospital's staff. Call it instead of answering when the patient wants a person, complains, asks for medical judgement, or needs something done that you cannot do. The patient then gets a fixed text; write none yourself.","strict":true,"input_schema":{"type":"object","properties":{"reason":{"type":"string","enum":["wants_person","complaint","medical_question","needs_action","cannot_answer"]}},"required":["reason"],"additionalProperties":false}}])");
  return tools;
}

std::string_view HandOverReason(const claude::ToolUseBlock& use) {
  for (const std::string_view reason : {"wants_person", "complaint", "medical_question", "needs_action"}) {
    if (use.input.text().find('"' + std::string(reason) + '"') != std::string::npos) return reason;
  }
  return "cannot_answer";
}

const std::unordered_set<std::size_t>& Instructions() {
  static const std::unordered_set<std::size_t> runs = InstructionRuns(PromptRules());
  return runs;
}

constexpr std::chrono::milliseconds kSecondTry{1500};  // less is not worth one

}  // namespace

std::string AnswerMaker::Disclosure(const SiteFacts& site, const store::v1::Turn& turn,
                                    const std::string& language) const {
  if (!turn.first_contact()) return "";
  return texts_.Fixed(safety::FixedKind::kDisclosure, language, site.contacts) + "\n\n";
}

// One request and what became of it.
struct AnswerMaker::Draft {
  absl::Status status;    // of the call
  std::string rule;       // that stopped it; empty: none
  std::string text;       // checked, placeholders still in it
  std::string hand_over;  // reason, when the model asks for a person
  std::string model;
  bool used_fallback = false;
  claude::Usage usage;
};

asio::awaitable<AnswerMaker::Draft> AnswerMaker::OneDraft(claude::Client& client, const CheckContext& checks,
                                                          const Placeholders& hidden, claude::Request request,
                                                          const std::string& language, const std::string& before,
                                                          Clock::time_point deadline, OnSentence on_sentence) {
  Draft draft;
  const auto check = [&](std::string_view text) {
    CheckResult result = CheckReply(text, checks);
    if (result.passed && hidden.HasUnknown(result.text)) {
      result.passed = false;
      result.rule = "placeholder";
    }
    return result;
  };
  absl::StatusOr<claude::Result> result = Error(absl::StatusCode::kUnknown, "");
  if (on_sentence) {
    SentenceStream sentences;
    bool first = true, listening = true;
    const auto send = [&](std::string sentence) -> asio::awaitable<absl::Status> {
      const CheckResult checked = check(sentence);
      if (!checked.passed && checked.rule != "empty") {
        draft.rule = checked.rule;
        co_return Error(absl::StatusCode::kFailedPrecondition, "output check");
      }
      if (checked.text.empty() || !listening) co_return absl::OkStatus();
      // The check trims; line breaks before a sentence belong to the text.
      const std::string breaks(
          static_cast<std::size_t>(std::count(
              sentence.begin(),
              sentence.begin() + std::min<std::ptrdiff_t>(sentence.find_first_not_of(" \t\r\n"), sentence.size()),
              '\n')),
          '\n');
      std::string piece = first ? before + checked.text : (breaks.empty() ? " " : breaks) + checked.text;
      first = false;
      listening = co_await on_sentence(hidden.Restore(piece));
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
    result = co_await client.Stream(std::move(request), deadline, on_text);
    if (result.ok()) {
      for (std::string& sentence : sentences.Flush()) {
        std::string one = std::move(sentence);
        const absl::Status sent = co_await send(std::move(one));
        if (!sent.ok()) break;
      }
    }
    if (!draft.rule.empty()) co_return draft;
  } else {
    result = co_await client.Ask(std::move(request), deadline);
  }
  if (!result.ok()) {
    draft.status = result.status();
    co_return draft;
  }
  draft.model = result->model;
  draft.used_fallback = result->used_fallback;
  draft.usage = result->usage;
  for (const claude::ToolUseBlock& use : result->tool_use) {
    if (use.name == kHandOver) draft.hand_over = HandOverReason(use);
  }
  if (!draft.hand_over.empty()) co_return draft;
  const CheckResult checked = check(result->text);
  if (!checked.passed) {
    draft.rule = checked.rule;
  } else if (safety::GuessLanguage(checked.text, language) != language) {
    draft.rule = "language";
  }
  draft.text = checked.text;
  co_return draft;
}

asio::awaitable<absl::StatusOr<Answer>> AnswerMaker::AskModel(const SiteFacts& site, const store::v1::Turn& turn,
                                                              const std::string& language, Clock::time_point deadline,
                                                              OnSentence on_sentence, const Variation& variation) {
  const std::shared_ptr<const StablePrompt> prompt = PromptFor(site, variation);
  ContextOptions context_options = options_.context;
  if (variation.history_tokens) context_options.history_tokens = *variation.history_tokens;
  if (variation.max_tokens) context_options.max_answer_tokens = *variation.max_tokens;
  claude::Client* other =
      variation.model.empty() || !options_.client_for ? nullptr : options_.client_for(variation.model);
  claude::Client& client = other != nullptr ? *other : *client_;
  Placeholders::Known known;
  known.names.assign(turn.patient_names().begin(), turn.patient_names().end());
  known.phones.assign(turn.patient_phones().begin(), turn.patient_phones().end());
  known.keep = prompt->numbers;
  Placeholders hidden(known);
  TurnContext context =
      BuildContext(*prompt, turn, language, std::chrono::system_clock::now(), context_options, &hidden);
  context.request.tools = Tools();
  CheckContext checks = ContextOfChecks(site);
  std::vector<std::string> numbers = prompt->numbers;
  for (std::string& number : LongNumbers(context.turn_prompt)) numbers.push_back(std::move(number));
  checks.known_numbers = &numbers;
  checks.instructions = &Instructions();
  const std::string disclosure = Disclosure(site, turn, language);

  claude::Request request = context.request;
  Draft draft =
      co_await OneDraft(client, checks, hidden, std::move(request), language, disclosure, deadline, on_sentence);
  spend_.Add(turn.contact_id(), draft.usage, std::chrono::system_clock::now());
  const bool check_failed = !draft.rule.empty();
  if (check_failed) {
    metrics_.OnCheckFailed(draft.rule);
    log::Warning("answer_stopped", {{"turn", log::Public(turn.id())}, {"rule", log::Public(draft.rule)}});
    const std::string stopped_by = draft.rule;
    if (Clock::now() + kSecondTry < deadline) {
      claude::Request again = std::move(context.request);
      again.system.back().text += "\nA first draft was not sent, because " + std::string(Correction(draft.rule)) +
                                  ". Write the answer anew without that.";
      OnSentence nobody;
      draft = co_await OneDraft(client, checks, hidden, std::move(again), language, disclosure, deadline,
                                std::move(nobody));
      spend_.Add(turn.contact_id(), draft.usage, std::chrono::system_clock::now());
    }
    if (!draft.status.ok() || !draft.rule.empty()) {
      if (!draft.rule.empty()) metrics_.OnCheckFailed(draft.rule);
      Answer safe = FromFacts(site, turn, language, /*model_failed=*/true);
      safe.task_reason = "output_check_failed:" + stopped_by;
      safe.check_failed = true;
      co_return safe;
    }
  }
  if (!draft.status.ok()) co_return draft.status;
  Answer answer;
  answer.check_failed = check_failed;
  answer.source = draft.model;
  answer.outcome = draft.used_fallback ? "fallback_model" : "model";
  if (!draft.hand_over.empty()) {
    answer.text = texts_.Fixed(safety::FixedKind::kHandover, language, ContactsNow(site));
    answer.outcome = "handover";
    answer.task_reason = answer.takeover_reason = "handover:" + draft.hand_over;
    co_return answer;
  }
  answer.text = disclosure + hidden.Restore(draft.text);
  co_return answer;
}

std::shared_ptr<const StablePrompt> AnswerMaker::PromptFor(const SiteFacts& site, const Variation& variation) {
  if (variation.prompt_style.empty() && !variation.facts_tokens) return site.prompt;
  ContextOptions options = options_.context;
  if (variation.facts_tokens) options.facts_tokens = *variation.facts_tokens;
  const std::lock_guard lock(mutex_);
  if (varied_.size() >= 32) varied_.clear();
  auto& prompt = varied_[{variation.prompt_style, options.facts_tokens}];
  if (prompt == nullptr || prompt->book != site.prompt->book) {
    prompt = MakeStablePrompt(site.prompt->book, options, variation.prompt_style);
  }
  return prompt;
}

safety::SiteContacts AnswerMaker::ContactsNow(const SiteFacts& site) const {
  safety::SiteContacts contacts = site.contacts;
  const SiteTime time = LocalTime(site.prompt->book->facts().hospital(), std::chrono::system_clock::now());
  if (!time.desk_open) {
    contacts.next_open = time.next_open_time.empty() ? "" : time.next_open_date + " " + time.next_open_time;
  } else {
    contacts.reply_minutes = options_.reply_minutes;
  }
  return contacts;
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
                                          OnSentence on_sentence, Variation variation) {
  const std::shared_ptr<const SiteFacts> site = facts_.Current();
  if (client_ == nullptr) co_return FromFacts(*site, turn, language, /*model_failed=*/false);
  if (!spend_.MaySpend(turn.contact_id(), std::chrono::system_clock::now())) {
    log::Warning("spend_limit", {{"turn", log::Public(turn.id())}});
    co_return FromFacts(*site, turn, language, /*model_failed=*/true);
  }
  const Clock::time_point model_deadline = std::min(deadline, Clock::now() + options_.model_budget);
  const absl::StatusOr<Answer> answer =
      co_await AskModel(*site, turn, language, model_deadline, std::move(on_sentence), variation);
  if (answer.ok()) co_return *answer;
  log::Warning("model_gave_no_answer", {{"turn", log::Public(turn.id())},
                                        {"code", static_cast<int>(answer.status().code())},
                                        {"trouble", log::Public(claude::Name(claude::TroubleOf(answer.status())))}});
  co_return FromFacts(*site, turn, language, /*model_failed=*/true);
}

}  // namespace medidesk::assistant
