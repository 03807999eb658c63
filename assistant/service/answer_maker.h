// Makes the text of one answer: the model inside its budget, then output checks, then the fact
// answerer, then a short apology with a staff task. It never fails and commits nothing.
//
// The model sees placeholders for who the patient is. A draft that an output check stops gets one corrected
// try; what fails again is never shown, and staff get a task. The model hands over by calling a tool; the
// text the patient gets then is a fixed one.
//
// Thread-safe; each call belongs to the coroutine that awaits it.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "assistant/checks/output_checks.h"
#include "assistant/claude/client.h"
#include "assistant/context/placeholders.h"
#include "assistant/service/assistant_metrics.h"
#include "assistant/service/experiments.h"
#include "assistant/service/fact_cache.h"
#include "assistant/service/spend_meter.h"
#include "medidesk/store/v1/conversation.pb.h"
#include "safety/texts.h"

namespace medidesk::assistant {

struct Answer {
  std::string text;
  std::string source;                // a model id, "facts" or "apology"
  std::string outcome;               // metric label: model, fallback_model, facts, apology, handover
  std::string task_reason;           // opens a staff task when not empty
  bool check_failed = false;         // an output check stopped a draft
  std::string takeover_reason = {};  // a person takes over when not empty
};

class AnswerMaker {
 public:
  struct Options {
    ContextOptions context;
    std::chrono::milliseconds model_budget{20'000};  // both models together
    SpendMeter::Limits spend = {};
    // The client for another model of an experiment; empty, or null from it: the configured one answers.
    std::function<claude::Client*(const std::string& model)> client_for = {};
    std::string reply_minutes = {};  // how long staff usually take to answer; empty: not promised
  };
  // Gets each checked sentence, with the space or newline that belongs before it. False: nobody
  // listens any more.
  using OnSentence = std::function<boost::asio::awaitable<bool>(std::string sentence)>;

  // `client` may be null: the fact answerer alone.
  AnswerMaker(claude::Client* client, const FactCache& facts, const safety::Texts& texts, AssistantMetrics& metrics,
              Options options)
      : client_(client),
        facts_(facts),
        texts_(texts),
        metrics_(metrics),
        options_(std::move(options)),
        spend_(options_.spend) {}

  // Ends by `deadline`, or soon after. `on_sentence` may be empty. No default arguments, here and in
  // TurnFlow: gcc 12 destroys those twice when the call is awaited.
  boost::asio::awaitable<Answer> Make(const store::v1::Turn& turn, std::string language,
                                      std::chrono::steady_clock::time_point deadline, OnSentence on_sentence,
                                      Variation variation);

  // The site's contacts with what the desk knows of itself now: when it opens, how long an answer takes.
  safety::SiteContacts ContactsNow(const SiteFacts& site) const;

  bool has_model() const { return client_ != nullptr; }

 private:
  boost::asio::awaitable<absl::StatusOr<Answer>> AskModel(const SiteFacts& site, const store::v1::Turn& turn,
                                                          const std::string& language,
                                                          std::chrono::steady_clock::time_point deadline,
                                                          OnSentence on_sentence, const Variation& variation);
  std::shared_ptr<const StablePrompt> PromptFor(const SiteFacts& site, const Variation& variation);
  struct Draft;
  boost::asio::awaitable<Draft> OneDraft(claude::Client& client, const CheckContext& checks, const Placeholders& hidden,
                                         claude::Request request, const std::string& language,
                                         const std::string& before, std::chrono::steady_clock::time_point deadline,
                                         OnSentence on_sentence);
  Answer FromFacts(const SiteFacts& site, const store::v1::Turn& turn, const std::string& language,
                   bool model_failed) const;
  // Rule 17: who is speaking, at first contact.
  std::string Disclosure(const SiteFacts& site, const store::v1::Turn& turn, const std::string& language) const;

  claude::Client* const client_;
  const FactCache& facts_;
  const safety::Texts& texts_;
  AssistantMetrics& metrics_;
  const Options options_;
  SpendMeter spend_;
  std::mutex mutex_;
  // Of variants, for the facts as they are now; few.
  std::map<std::pair<std::string, int>, std::shared_ptr<const StablePrompt>> varied_;
};

}  // namespace medidesk::assistant
