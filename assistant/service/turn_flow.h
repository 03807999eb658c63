// One message from its arrival to its committed reply: screen, accept, claim, answer, commit
// (design section 2). What the caller gets is what the store committed, never what was merely made.
//
// Writes are repeated under their commit ids while their outcome is unknown. While an answer is
// being made the claim is renewed; when it is lost anyway, the store still keeps the first reply.
// A red flag is answered also when the store cannot be reached: the text is then given unstored.
//
// What rules answer (rule_answer.h) never reaches a model. A hand-over, by a rule or by the model's tool,
// commits its fixed text first, so that the patient gets it, and then takes the contact over.
//
// Thread-safe; each call belongs to the coroutine that awaits it.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <string>

#include "assistant/service/answer_maker.h"
#include "assistant/service/assistant_metrics.h"
#include "assistant/service/fact_cache.h"
#include "assistant/service/rule_answer.h"
#include "base/rpc/call.h"
#include "base/rpc/client.h"
#include "medidesk/assistant/v1/assistant.pb.h"
#include "medidesk/store/v1/conversation.grpc.pb.h"
#include "safety/gate.h"
#include "safety/texts.h"

namespace medidesk::assistant {

class TurnFlow {
 public:
  struct Options {
    int history_limit = 40;                              // messages
    std::chrono::milliseconds inbound_budget{25'000};    // webhook and rpc callers, in all
    std::chrono::milliseconds turn_budget{28'000};       // the gateway's turns
    std::chrono::milliseconds commit_reserve{3000};      // of a budget, kept for facts and commit
    std::chrono::milliseconds facts_patience{3000};      // with the first load of the facts
    std::chrono::milliseconds renew{1500};               // between renewals of a claim
    std::chrono::milliseconds accept_patience{8000};     // with the store, before a caller is told to come again
    std::chrono::milliseconds emergency_patience{1200};  // with the store, before a red flag is answered unstored
    RuleLimits limits = {};
  };
  TurnFlow(const rpc::Channel& store, const safety::Gate& gate, const safety::Texts& texts, const FactCache& facts,
           AnswerMaker& answers, AssistantMetrics& metrics, Options options)
      : conversations_(store),
        experiments_(store, {}),
        gate_(gate),
        texts_(texts),
        facts_(facts),
        answers_(answers),
        metrics_(metrics),
        options_(options) {}

  using OnSentence = AnswerMaker::OnSentence;
  boost::asio::awaitable<absl::StatusOr<v1::ReplyResponse>> ReplyToText(const rpc::Call& call,
                                                                        const v1::InboundText& inbound,
                                                                        OnSentence on_sentence);
  boost::asio::awaitable<absl::StatusOr<v1::ReplyResponse>> ReplyToTurn(const rpc::Call& call,
                                                                        const std::string& turn_id,
                                                                        OnSentence on_sentence);

 private:
  using Clock = std::chrono::steady_clock;
  struct Progress;  // what is known of the message so far

  // Waits for the claim of a turn that somebody else is answering, or for their reply.
  boost::asio::awaitable<absl::Status> Claim(Progress& progress, bool seal);
  boost::asio::awaitable<absl::StatusOr<v1::ReplyResponse>> Answer(Progress& progress, OnSentence on_sentence);
  boost::asio::awaitable<void> TakeOver(Progress& progress, std::string reason);
  v1::ReplyResponse Finish(const Progress& progress, std::string_view outcome);

  rpc::Client<store::v1::ConversationService> conversations_;
  Experiments experiments_;
  const safety::Gate& gate_;
  const safety::Texts& texts_;
  const FactCache& facts_;
  AnswerMaker& answers_;
  AssistantMetrics& metrics_;
  const Options options_;
};

}  // namespace medidesk::assistant
