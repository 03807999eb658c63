#include "assistant/service/assistant_metrics.h"

namespace medidesk::assistant {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 3, 5, 8, 12, 20, 28};

}  // namespace

AssistantMetrics::AssistantMetrics(prometheus::Registry& registry)
    : turns(prometheus::BuildCounter()
                .Name("medidesk_assistant_turns_total")
                .Help("Turns by route and by what answered them.")
                .Register(registry)),
      reply_seconds(prometheus::BuildHistogram()
                        .Name("medidesk_assistant_reply_seconds")
                        .Help("Time from a call for a reply to its answer.")
                        .Register(registry)),
      stage_seconds(prometheus::BuildHistogram()
                        .Name("medidesk_assistant_stage_seconds")
                        .Help("Time of one stage of a reply: accept, generate, commit.")
                        .Register(registry)),
      verdicts(prometheus::BuildCounter()
                   .Name("medidesk_assistant_gate_verdicts_total")
                   .Help("Verdicts of the red-flag gate.")
                   .Register(registry)),
      checks_failed(prometheus::BuildCounter()
                        .Name("medidesk_assistant_checks_failed_total")
                        .Help("Texts of the model that an output check stopped.")
                        .Register(registry)),
      unstored_emergencies(prometheus::BuildCounter()
                               .Name("medidesk_assistant_unstored_emergencies_total")
                               .Help("Emergency texts given while the store could not be reached.")
                               .Register(registry)
                               .Add({})),
      usage_dropped(prometheus::BuildCounter()
                        .Name("medidesk_assistant_usage_dropped_total")
                        .Help("Requests to models whose use the reports do not show.")
                        .Register(registry)
                        .Add({})) {
  // There from the start, so that a rate over them is defined.
  for (const char* severity : {"none", "lite", "emergency"}) verdicts.Add({{"severity", severity}});
}

void AssistantMetrics::OnTurn(std::string_view route, std::string_view outcome, std::chrono::duration<double> took) {
  turns.Add({{"route", std::string(route)}, {"outcome", std::string(outcome)}}).Increment();
  reply_seconds.Add({{"route", std::string(route)}}, kSeconds).Observe(took.count());
}

void AssistantMetrics::OnStage(const char* stage, std::chrono::duration<double> took) {
  stage_seconds.Add({{"stage", stage}}, kSeconds).Observe(took.count());
}

void AssistantMetrics::OnVerdict(std::string_view severity) {
  verdicts.Add({{"severity", std::string(severity)}}).Increment();
}

void AssistantMetrics::OnCheckFailed(const std::string& rule) { checks_failed.Add({{"rule", rule}}).Increment(); }

}  // namespace medidesk::assistant
