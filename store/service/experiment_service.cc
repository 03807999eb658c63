#include "store/service/experiment_service.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "store/database_call.h"
#include "store/service/request_checks.h"

namespace medidesk::store {
namespace {

bool IsName(std::string_view text, std::size_t most) {
  return !text.empty() && text.size() <= most && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool IsSafety(v1::OutcomeKind kind) {
  return kind == v1::OUTCOME_KIND_CHECK_FAILED || kind == v1::OUTCOME_KIND_MARKED_WRONG ||
         kind == v1::OUTCOME_KIND_LATE_EMERGENCY;
}

// What variants may set, and the range of its number. The gate, the fixed texts and the output checks are none of it.
struct Parameter {
  std::string_view name;
  int min, max;
};
constexpr std::array<Parameter, 3> kNumbers = {
    {{"max_tokens", 64, 4096}, {"history_tokens", 0, 200'000}, {"facts_tokens", 0, 500'000}}};

absl::Status CheckParameter(const std::string& name, const std::string& value) {
  const auto known = std::find_if(kNumbers.begin(), kNumbers.end(), [&](const auto& one) { return one.name == name; });
  if (known == kNumbers.end()) {
    return rpc::InvalidField("experiment.variants.parameters",
                             "variants set max_tokens, history_tokens and facts_tokens; nothing else");
  }
  int number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < known->min || number > known->max) {
    return rpc::InvalidField("experiment.variants.parameters", "a number is out of its range");
  }
  return absl::OkStatus();
}

absl::Status CheckVariants(const google::protobuf::RepeatedPtrField<v1::Variant>& variants) {
  if (variants.size() < 2 || variants.size() > 8) return rpc::InvalidField("experiment.variants", "2 to 8 are needed");
  std::set<std::string> names;
  int controls = 0, dealt = 0;
  for (const v1::Variant& variant : variants) {
    if (!IsName(variant.name(), 32) || !names.insert(variant.name()).second) {
      return rpc::InvalidField("experiment.variants.name", "1 to 32 characters of [a-z0-9_-], each name once");
    }
    if (variant.weight() < 0 || variant.weight() > 10'000) {
      return rpc::InvalidField("experiment.variants.weight", "0 to 10,000");
    }
    if (variant.weight() > 0) ++dealt;
    if (variant.prompt_style().size() > 8000) {
      return rpc::InvalidField("experiment.variants.prompt_style", "at most 8,000 characters");
    }
    if (variant.model().size() > 100) return rpc::InvalidField("experiment.variants.model", "at most 100 characters");
    if (variant.parameters().size() > 8) return rpc::InvalidField("experiment.variants.parameters", "at most 8");
    for (const auto& [name, value] : variant.parameters()) MD_RETURN_IF_ERROR(CheckParameter(name, value));
    if (!variant.control()) continue;
    ++controls;
    if (!variant.prompt_style().empty() || !variant.model().empty() || !variant.parameters().empty()) {
      return rpc::InvalidField("experiment.variants", "the control changes nothing");
    }
  }
  if (controls != 1) return rpc::InvalidField("experiment.variants", "exactly one is the control");
  if (dealt == 0) return rpc::InvalidField("experiment.variants.weight", "one at least is above 0");
  return absl::OkStatus();
}

}  // namespace

ExperimentService::ExperimentService(rpc::Dispatcher& dispatcher, DbPool& pool)
    : dispatcher_(dispatcher), pool_(pool) {}
ExperimentService::~ExperimentService() = default;

asio::awaitable<absl::StatusOr<v1::CreateExperimentResponse>> ExperimentService::CreateExperiment(
    const rpc::Call& call, const v1::CreateExperimentRequest& request) {
  const v1::Experiment& experiment = request.experiment();
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  if (!IsName(experiment.name(), 64)) {
    co_return rpc::InvalidField("experiment.name", "1 to 64 characters of [a-z0-9_-]");
  }
  MD_CO_RETURN_IF_ERROR(CheckLength("experiment.description", experiment.description(), 2000));
  MD_CO_RETURN_IF_ERROR(CheckVariants(experiment.variants()));
  if (!v1::OutcomeKind_IsValid(experiment.primary_outcome()) ||
      experiment.primary_outcome() == v1::OUTCOME_KIND_UNSPECIFIED || IsSafety(experiment.primary_outcome())) {
    co_return rpc::InvalidField("experiment.primary_outcome", "expected a known outcome that is none of safety");
  }
  if (experiment.alpha() != 0 && !(experiment.alpha() >= 0.001 && experiment.alpha() <= 0.2)) {
    co_return rpc::InvalidField("experiment.alpha", "0.001 to 0.2");
  }
  if (experiment.max_turns() < 0) co_return rpc::InvalidField("experiment.max_turns", "not below 0");
  if (experiment.number_ids_size() > 200) co_return rpc::InvalidField("experiment.number_ids", "at most 200");
  for (const std::string& id : experiment.number_ids()) {
    MD_CO_RETURN_IF_ERROR(CheckId("experiment.number_ids", id));
  }
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::CreateExperimentResponse>(pool_, MD_FUNCTION("create_experiment"),
                                                                DeadlineOf(call), std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::GetExperimentResponse>> ExperimentService::GetExperiment(
    const rpc::Call& call, const v1::GetExperimentRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("experiment_id", request.experiment_id()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::GetExperimentResponse>(pool_, MD_FUNCTION("get_experiment"), DeadlineOf(call),
                                                             std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::ListExperimentsResponse>> ExperimentService::ListExperiments(
    const rpc::Call& call, const v1::ListExperimentsRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckPageSize(request.page_size(), 200));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("page_token", request.page_token()));
  if (!v1::ExperimentState_IsValid(request.state())) co_return rpc::InvalidField("state", "expected a known state");
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::ListExperimentsResponse>(pool_, MD_FUNCTION("list_experiments"), DeadlineOf(call),
                                                               std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::StartExperimentResponse>> ExperimentService::StartExperiment(
    const rpc::Call& call, const v1::StartExperimentRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("experiment_id", request.experiment_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::StartExperimentResponse>(pool_, MD_FUNCTION("start_experiment"), DeadlineOf(call),
                                                               std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::StopExperimentResponse>> ExperimentService::StopExperiment(
    const rpc::Call& call, const v1::StopExperimentRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("experiment_id", request.experiment_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::StopExperimentResponse>(pool_, MD_FUNCTION("stop_experiment"), DeadlineOf(call),
                                                              std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::AssignVariantResponse>> ExperimentService::AssignVariant(
    const rpc::Call& call, const v1::AssignVariantRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("turn_id", request.turn_id()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::AssignVariantResponse>(pool_, MD_FUNCTION("assign_variant"), DeadlineOf(call),
                                                             std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::RecordOutcomeResponse>> ExperimentService::RecordOutcome(
    const rpc::Call& call, const v1::RecordOutcomeRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("turn_id", request.turn_id()));
  if (request.kind() == v1::OUTCOME_KIND_UNSPECIFIED || !v1::OutcomeKind_IsValid(request.kind())) {
    co_return rpc::InvalidField("kind", "expected a known outcome");
  }
  if (request.kind() == v1::OUTCOME_KIND_HANDOVER || request.kind() == v1::OUTCOME_KIND_SECOND_QUESTION) {
    co_return rpc::InvalidField("kind", "the store sees this by itself");
  }
  const bool rating = request.kind() == v1::OUTCOME_KIND_SATISFACTION;
  if (!std::isfinite(request.value()) || request.value() < (rating ? 1 : 0) || request.value() > (rating ? 5 : 1e12)) {
    co_return rpc::InvalidField("value", "out of the kind's range");
  }
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::RecordOutcomeResponse>(pool_, MD_FUNCTION("record_outcome"), DeadlineOf(call),
                                                             std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::ReportExperimentResponse>> ExperimentService::ReportExperiment(
    const rpc::Call& call, const v1::ReportExperimentRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("experiment_id", request.experiment_id()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::ReportExperimentResponse>(pool_, MD_FUNCTION("report_experiment"),
                                                                DeadlineOf(call), std::move(json), call.trace.trace_id);
}

}  // namespace medidesk::store
