// What the assistant reports.
//
//   medidesk_assistant_turns_total{route,outcome}   answers by what made them: model, fallback_model,
//                                                   facts, apology, gate; and skipped, duplicate
//   medidesk_assistant_reply_seconds{route}         from the call to its answer
//   medidesk_assistant_stage_seconds{stage}         accept, generate, commit
//   medidesk_assistant_gate_verdicts_total{severity}
//   medidesk_assistant_checks_failed_total{rule}    model texts that an output check stopped
//   medidesk_assistant_unstored_emergencies_total   emergency texts given while the store was down
//   medidesk_assistant_usage_dropped_total          requests to models whose use the reports do not show
#pragma once

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <chrono>
#include <string>
#include <string_view>

namespace medidesk::assistant {

struct AssistantMetrics {
  explicit AssistantMetrics(prometheus::Registry& registry);

  // Thread-safe; labels are words of our own.
  void OnTurn(std::string_view route, std::string_view outcome, std::chrono::duration<double> took);
  void OnStage(const char* stage, std::chrono::duration<double> took);
  void OnVerdict(std::string_view severity);
  void OnCheckFailed(const std::string& rule);

  prometheus::Family<prometheus::Counter>& turns;
  prometheus::Family<prometheus::Histogram>& reply_seconds;
  prometheus::Family<prometheus::Histogram>& stage_seconds;
  prometheus::Family<prometheus::Counter>& verdicts;
  prometheus::Family<prometheus::Counter>& checks_failed;
  prometheus::Counter& unstored_emergencies;
  prometheus::Counter& usage_dropped;
};

}  // namespace medidesk::assistant
