#include "store/service/report_service.h"

#include "store/database_call.h"
#include "store/service/request_checks.h"

namespace medidesk::store {

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
