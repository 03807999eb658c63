// What the Claude client counts.
//
//   medidesk_assistant_claude_requests_total{model,outcome}   HTTP attempts
//   medidesk_assistant_claude_request_seconds{model}          time of one attempt
//   medidesk_assistant_claude_tokens_total{model,kind}        kind: input, output, cache_read, cache_write
//   medidesk_assistant_claude_retries_total{model}            attempts after the first of a call
//   medidesk_assistant_claude_fallbacks_total                 calls that went to the fallback model
//   medidesk_assistant_claude_failures_total{reason}          calls that ended without an answer
//
// `model` is one of the two configured ids; outcomes and reasons are the words of Name(Trouble).
// Thread-safe. Make one in main; it must outlive its client, and the registry must outlive it.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "assistant/claude/messages.h"
#include "assistant/claude/retry.h"

namespace medidesk::assistant::claude {

class Metrics {
 public:
  // `fallback_model` may be empty.
  Metrics(prometheus::Registry& registry, std::string_view model, std::string_view fallback_model);

  // `model`: one of the two; anything else is counted under "other".
  void OnAttempt(std::string_view model, Trouble outcome, std::chrono::duration<double> took);
  void OnUsage(std::string_view model, const Usage& usage);
  void OnRetry(std::string_view model);
  void OnFallback();
  void OnFailure(Trouble reason);

 private:
  struct OfModel {
    std::map<Trouble, prometheus::Counter*> requests;
    prometheus::Histogram* seconds;
    prometheus::Counter *input, *output, *cache_read, *cache_write, *retries;
  };
  OfModel& Of(std::string_view model);

  std::map<std::string, OfModel, std::less<>> models_;
  prometheus::Counter* fallbacks_;
  std::map<Trouble, prometheus::Counter*> failures_;
};

}  // namespace medidesk::assistant::claude
