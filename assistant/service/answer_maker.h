// Makes the text of one answer: the model inside its budget, then output checks, then the fact
// answerer, then a short apology with a staff task. It never fails and commits nothing.
//
// Thread-safe; each call belongs to the coroutine that awaits it.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <string>

#include "assistant/claude/client.h"
#include "assistant/service/assistant_metrics.h"
#include "assistant/service/fact_cache.h"
#include "medidesk/store/v1/conversation.pb.h"
#include "safety/texts.h"

namespace medidesk::assistant {

struct Answer {
  std::string text;
  std::string source;       // a model id, "facts" or "apology"
  std::string outcome;      // metric label: model, fallback_model, facts, apology
  std::string task_reason;  // opens a staff task when not empty
};

class AnswerMaker {
 public:
  struct Options {
    ContextOptions context;
    std::chrono::milliseconds model_budget{20'000};  // both models together
  };
  // Gets each checked sentence, with the space or newline that belongs before it. False: nobody
  // listens any more.
  using OnSentence = std::function<boost::asio::awaitable<bool>(std::string sentence)>;

  // `client` may be null: the fact answerer alone.
  AnswerMaker(claude::Client* client, const FactCache& facts, const safety::Texts& texts, AssistantMetrics& metrics,
              Options options)
      : client_(client), facts_(facts), texts_(texts), metrics_(metrics), options_(std::move(options)) {}

  // Ends by `deadline`, or soon after. `on_sentence` may be empty.
  boost::asio::awaitable<Answer> Make(const store::v1::Turn& turn, std::string language,
                                      std::chrono::steady_clock::time_point deadline, OnSentence on_sentence = nullptr);

  bool has_model() const { return client_ != nullptr; }

 private:
  boost::asio::awaitable<absl::StatusOr<Answer>> AskModel(const SiteFacts& site, const store::v1::Turn& turn,
                                                          const std::string& language,
                                                          std::chrono::steady_clock::time_point deadline,
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
};

}  // namespace medidesk::assistant
