#include "store/service/report_service.h"

#include "store/database_call.h"
#include "store/service/request_checks.h"

namespace medidesk::store {
namespace {

constexpr int kPage = 200;
constexpr std::size_t kPiece = 65'536;  // bytes of a message of an export

absl::Status CheckScope(const v1::ReportScope& scope) {
  if (!scope.time_range().has_start_time()) {
    return rpc::InvalidField("scope.time_range", "expected a start, and at most 400 days");
  }
  MD_RETURN_IF_ERROR(CheckTimeRange("scope.time_range", scope.time_range()));
  MD_RETURN_IF_ERROR(CheckLength("scope.timezone", scope.timezone(), 64));
  if (scope.number_ids_size() > 1000) return rpc::InvalidField("scope.number_ids", "at most 1,000");
  for (const std::string& id : scope.number_ids()) MD_RETURN_IF_ERROR(CheckId("scope.number_ids", id));
  return absl::OkStatus();
}

absl::Status CheckInterval(v1::ReportInterval interval) {
  return v1::ReportInterval_IsValid(interval) ? absl::OkStatus()
                                              : rpc::InvalidField("interval", "expected a known interval");
}

absl::Status CheckGetCounts(const rpc::Call&, const v1::GetCountsRequest& request) {
  MD_RETURN_IF_ERROR(CheckInterval(request.interval()));
  return CheckScope(request.scope());
}

absl::Status CheckGetLatency(const rpc::Call&, const v1::GetLatencyRequest& request) {
  MD_RETURN_IF_ERROR(CheckInterval(request.interval()));
  for (const int stage : request.stages()) {
    if (stage == v1::LATENCY_STAGE_UNSPECIFIED || !v1::LatencyStage_IsValid(stage)) {
      return rpc::InvalidField("stages", "expected known stages");
    }
  }
  if (request.stages_size() > 10) return rpc::InvalidField("stages", "each once");
  return CheckScope(request.scope());
}

absl::Status CheckGetBreakdown(const rpc::Call&, const v1::GetBreakdownRequest& request) {
  if (request.kind() == v1::BREAKDOWN_KIND_UNSPECIFIED || !v1::BreakdownKind_IsValid(request.kind())) {
    return rpc::InvalidField("kind", "expected a known kind");
  }
  if (request.max_rows() < 0 || request.max_rows() > 500) return rpc::InvalidField("max_rows", "expected 0 to 500");
  return CheckScope(request.scope());
}

absl::Status CheckGetModelUsage(const rpc::Call&, const v1::GetModelUsageRequest& request) {
  return CheckScope(request.scope());
}

absl::Status CheckListEmergencies(const rpc::Call& call, const v1::ListEmergenciesRequest& request) {
  MD_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_RETURN_IF_ERROR(CheckPageSize(request.page_size(), kPage));
  return CheckScope(request.scope());
}

absl::Status CheckListUnansweredQuestions(const rpc::Call& call, const v1::ListUnansweredQuestionsRequest& request) {
  MD_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_RETURN_IF_ERROR(CheckPageSize(request.page_size(), kPage));
  MD_RETURN_IF_ERROR(CheckLength("language", request.language(), 35));
  return CheckScope(request.scope());
}

absl::Status CheckRecordRating(const rpc::Call&, const v1::RecordRatingRequest& request) {
  MD_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  if (request.rating() < 1 || request.rating() > 5) return rpc::InvalidField("rating", "expected 1 to 5");
  return CheckId("conversation_id", request.conversation_id());
}

absl::Status CheckRecordModelUsage(const rpc::Call&, const v1::RecordModelUsageRequest& request) {
  MD_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  if (request.models_size() > 20) return rpc::InvalidField("models", "at most 20");
  for (const v1::ModelUsageRow& row : request.models()) {
    if (row.model().empty()) return rpc::InvalidField("models.model", "must not be empty");
    MD_RETURN_IF_ERROR(CheckLength("models.model", row.model(), 100));
    for (const std::int64_t count : {row.requests(), row.failed_requests(), row.input_tokens(), row.cache_read_tokens(),
                                     row.cache_write_tokens(), row.output_tokens(), row.cost_micro_usd()}) {
      if (count < 0 || count > 1'000'000'000'000) return rpc::InvalidField("models", "expected counts of 0 or more");
    }
  }
  return absl::OkStatus();
}

}  // namespace

// What follows the checks is the same for all.
#define MD_CALL(Name, function)                                                                               \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> ReportService::Name(const rpc::Call& call,              \
                                                                          const v1::Name##Request& request) { \
    MD_CO_RETURN_IF_ERROR(Check##Name(call, request));                                                        \
    MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));                                   \
    co_return co_await CallDatabase<v1::Name##Response>(pool_, MD_FUNCTION(function), DeadlineOf(call),       \
                                                        std::move(json), call.trace.trace_id);                \
  }
MD_CALL(GetCounts, "get_counts")
MD_CALL(GetLatency, "get_latency")
MD_CALL(GetBreakdown, "get_breakdown")
MD_CALL(GetModelUsage, "get_model_usage")
MD_CALL(ListEmergencies, "list_emergencies")
MD_CALL(ListUnansweredQuestions, "list_unanswered_questions")
MD_CALL(RecordRating, "record_rating")
MD_CALL(RecordModelUsage, "record_model_usage")
#undef MD_CALL

asio::awaitable<absl::Status> ReportService::ExportDailyReport(
    const rpc::Call& call, const v1::ExportDailyReportRequest& request,
    rpc::StreamWriter<v1::ExportDailyReportResponse>& writer) {
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_CO_RETURN_IF_ERROR(CheckScope(request.scope()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  MD_ASSIGN_OR_CO_RETURN(
      const v1::ExportDailyReportResponse all,
      co_await CallDatabase<v1::ExportDailyReportResponse>(pool_, MD_FUNCTION("export_daily_report"), DeadlineOf(call),
                                                           std::move(json), call.trace.trace_id));
  std::string_view rest = all.csv();
  while (!rest.empty()) {
    std::size_t size = rest.size();
    if (size > kPiece) size = rest.rfind('\n', kPiece - 1) + 1;  // lines are far shorter
    v1::ExportDailyReportResponse piece;
    piece.set_csv(std::string(rest.substr(0, size)));
    rest.remove_prefix(size);
    if (!co_await writer.Write(std::move(piece))) break;
  }
  co_return absl::OkStatus();
}

ReportService::ReportService(rpc::Dispatcher& dispatcher, DbPool& pool) : dispatcher_(dispatcher), pool_(pool) {}

ReportService::~ReportService() = default;

asio::awaitable<absl::StatusOr<v1::GetTraceResponse>> ReportService::GetTrace(const rpc::Call& call,
                                                                              const v1::GetTraceRequest& request) {
  switch (request.key_case()) {
    case v1::GetTraceRequest::kTraceId:
      if (request.trace_id().size() != 32 ||
          request.trace_id().find_first_not_of("0123456789abcdef") != std::string::npos) {
        co_return rpc::InvalidField("trace_id", "expected 32 lower-case hex digits");
      }
      break;
    case v1::GetTraceRequest::kTurnId:
      MD_CO_RETURN_IF_ERROR(CheckId("turn_id", request.turn_id()));
      break;
    default:
      co_return rpc::InvalidField("trace_id", "expected a trace_id or a turn_id");
  }
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::GetTraceResponse>(pool_, MD_FUNCTION("get_trace"), DeadlineOf(call),
                                                        std::move(json), call.trace.trace_id);
}

}  // namespace medidesk::store
