#include "assistant/claude/metrics.h"

#include <iterator>

namespace medidesk::assistant::claude {
namespace {

constexpr Trouble kAll[] = {Trouble::kNone,     Trouble::kRateLimited, Trouble::kOverloaded, Trouble::kServer,
                            Trouble::kTimeout,  Trouble::kConnection,  Trouble::kMalformed,  Trouble::kModelGone,
                            Trouble::kRejected, Trouble::kAccount,     Trouble::kRefused,    Trouble::kCut,
                            Trouble::kEmpty,    Trouble::kBusy,        Trouble::kSkipped,    Trouble::kCancelled};

constexpr std::string_view kOther = "other";

}  // namespace

Metrics::Metrics(prometheus::Registry& registry, std::string_view model, std::string_view fallback_model) {
  auto& requests = prometheus::BuildCounter()
                       .Name("medidesk_assistant_claude_requests_total")
                       .Help("Attempts at the Claude API by model and outcome.")
                       .Register(registry);
  auto& seconds = prometheus::BuildHistogram()
                      .Name("medidesk_assistant_claude_request_seconds")
                      .Help("Duration of one attempt at the Claude API.")
                      .Register(registry);
  auto& tokens = prometheus::BuildCounter()
                     .Name("medidesk_assistant_claude_tokens_total")
                     .Help("Tokens as the Claude API counts them, by model and kind.")
                     .Register(registry);
  auto& retries = prometheus::BuildCounter()
                      .Name("medidesk_assistant_claude_retries_total")
                      .Help("Attempts at the Claude API after the first one of a call.")
                      .Register(registry);
  fallbacks_ = &prometheus::BuildCounter()
                    .Name("medidesk_assistant_claude_fallbacks_total")
                    .Help("Calls that went on to the fallback model.")
                    .Register(registry)
                    .Add({});
  auto& failures = prometheus::BuildCounter()
                       .Name("medidesk_assistant_claude_failures_total")
                       .Help("Calls that ended without an answer of any model, by reason.")
                       .Register(registry);

  for (const std::string_view name : {model, fallback_model, kOther}) {
    if (name.empty() || models_.contains(name)) continue;
    const std::string label(name);
    OfModel of;
    for (const Trouble outcome : kAll) {
      of.requests[outcome] = &requests.Add({{"model", label}, {"outcome", std::string(Name(outcome))}});
    }
    const prometheus::Histogram::BucketBoundaries bounds = {0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 8, 12, 20};
    of.seconds = &seconds.Add({{"model", label}}, bounds);
    of.input = &tokens.Add({{"model", label}, {"kind", "input"}});
    of.output = &tokens.Add({{"model", label}, {"kind", "output"}});
    of.cache_read = &tokens.Add({{"model", label}, {"kind", "cache_read"}});
    of.cache_write = &tokens.Add({{"model", label}, {"kind", "cache_write"}});
    of.retries = &retries.Add({{"model", label}});
    models_.emplace(label, std::move(of));
  }
  for (const Trouble reason : kAll) {
    if (reason != Trouble::kNone) failures_[reason] = &failures.Add({{"reason", std::string(Name(reason))}});
  }
}

Metrics::OfModel& Metrics::Of(std::string_view model) {
  const auto found = models_.find(model);
  return found != models_.end() ? found->second : models_.find(kOther)->second;
}

void Metrics::OnAttempt(std::string_view model, Trouble outcome, std::chrono::duration<double> took) {
  OfModel& of = Of(model);
  of.requests.at(outcome)->Increment();
  of.seconds->Observe(took.count());
}

void Metrics::OnUsage(std::string_view model, const Usage& usage) {
  OfModel& of = Of(model);
  of.input->Increment(static_cast<double>(usage.input_tokens));
  of.output->Increment(static_cast<double>(usage.output_tokens));
  of.cache_read->Increment(static_cast<double>(usage.cache_read_tokens));
  of.cache_write->Increment(static_cast<double>(usage.cache_write_tokens));
}

void Metrics::OnRetry(std::string_view model) { Of(model).retries->Increment(); }

void Metrics::OnFallback() { fallbacks_->Increment(); }

void Metrics::OnFailure(Trouble reason) {
  if (const auto found = failures_.find(reason); found != failures_.end()) found->second->Increment();
}

}  // namespace medidesk::assistant::claude
