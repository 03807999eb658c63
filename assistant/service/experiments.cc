#include "assistant/service/experiments.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <charconv>

#include "base/log.h"
#include "base/uuid.h"

namespace medidesk::assistant {
namespace {

namespace asio = boost::asio;
using store::v1::ExperimentService;

std::optional<int> NumberOf(const std::string& value) {
  int number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace

Variation VariationOf(const store::v1::AssignVariantResponse& assigned) {
  Variation variation;
  for (const auto& assignment : assigned.assignments()) {
    const store::v1::Variant& variant = assignment.variant();
    if (!variant.prompt_style().empty()) variation.prompt_style = variant.prompt_style();
    if (!variant.model().empty()) variation.model = variant.model();
    for (const auto& [name, value] : variant.parameters()) {
      const std::optional<int> number = NumberOf(value);
      if (!number) continue;
      if (name == "max_tokens" && *number > 0) variation.max_tokens = number;
      if (name == "history_tokens") variation.history_tokens = number;
      if (name == "facts_tokens") variation.facts_tokens = number;
    }
  }
  return variation;
}

asio::awaitable<bool> Experiments::AnyRuns(const TraceContext& trace) {
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count();
  std::int64_t looked = looked_at_.load();
  if (looked >= 0 && now - looked < options_.look.count()) co_return any_.load();
  if (!looked_at_.compare_exchange_strong(looked, now)) co_return any_.load();  // somebody else looks
  store::v1::ListExperimentsRequest request;
  request.set_state(store::v1::EXPERIMENT_STATE_RUNNING);
  request.set_page_size(1);
  rpc::CallOptions options = rpc::Within(options_.patience);
  options.trace = trace;
  auto response = co_await experiments_.Call(MD_METHOD(ListExperiments), request, options);
  any_ = response.ok() && response->experiments_size() > 0;
  co_return any_.load();
}

asio::awaitable<Experiments::Exposure> Experiments::Expose(std::string turn_id, TraceContext trace) {
  Exposure exposure;
  if (!co_await AnyRuns(trace)) co_return exposure;
  store::v1::AssignVariantRequest request;
  request.set_turn_id(std::move(turn_id));
  rpc::CallOptions options = rpc::Within(options_.patience);
  options.trace = trace;
  auto response = co_await experiments_.Call(MD_METHOD(AssignVariant), request, options);
  if (!response.ok() || response->assignments_size() == 0) co_return exposure;
  exposure.exposed = true;
  exposure.variation = VariationOf(*response);
  co_return exposure;
}

namespace {

// Owns what it uses: it may outlive its turn.
asio::awaitable<void> Tell(rpc::Client<store::v1::ExperimentService> experiments,
                           store::v1::RecordOutcomeRequest request, rpc::CallOptions options) {
  auto response = co_await experiments.Call(MD_METHOD(RecordOutcome), request, options);
  if (!response.ok()) {
    log::Warning("outcome_unrecorded", {{"code", static_cast<int>(response.status().code())}});
    co_return;
  }
  for (const std::string& id : response->stopped_experiment_ids()) {
    log::Error("experiment_stopped", {{"experiment", log::Public(id)}});
  }
}

}  // namespace

void Experiments::Record(const asio::any_io_executor& executor, std::string turn_id, store::v1::OutcomeKind kind,
                         double value, const TraceContext& trace) const {
  store::v1::RecordOutcomeRequest request;
  request.set_commit_id(NewUuid());
  request.set_turn_id(std::move(turn_id));
  request.set_kind(kind);
  request.set_value(value);
  rpc::CallOptions options = rpc::Within(options_.patience);
  options.trace = trace;
  asio::awaitable<void> tell = Tell(experiments_, std::move(request), std::move(options));
  asio::co_spawn(executor, std::move(tell), asio::detached);
}

}  // namespace medidesk::assistant
