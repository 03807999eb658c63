// medidesk.store.v1.ReportService: checks requests; the functions of 0012_trace.sql and 0015_reports.sql answer them.
// Thread-safe; must outlive its server.
#pragma once

#include "base/rpc/serve.h"
#include "medidesk/store/v1/report.grpc.pb.h"
#include "store/db_pool.h"

namespace medidesk::store {

class ReportService final : public v1::ReportService::CallbackService {
 public:
  // Out of line, like the destructor: gRPC's machinery is compiled once, not wherever this header is read.
  ReportService(rpc::Dispatcher& dispatcher, DbPool& pool);
  ~ReportService() override;

// A handler free of gRPC, for tests, and its override.
#define MD_HANDLER(Name)                                                                                             \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> Name(const rpc::Call& call, const v1::Name##Request& request); \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const v1::Name##Request* request,             \
                                 v1::Name##Response* response) override {                                            \
    return rpc::ServeUnary(context, dispatcher_, "ReportService/" #Name, response,                                   \
                           [this, request](const rpc::Call& call) { return Name(call, *request); });                 \
  }
  MD_HANDLER(GetCounts)
  MD_HANDLER(GetLatency)
  MD_HANDLER(GetBreakdown)
  MD_HANDLER(GetModelUsage)
  MD_HANDLER(ListEmergencies)
  MD_HANDLER(ListUnansweredQuestions)
  MD_HANDLER(RecordRating)
  MD_HANDLER(RecordModelUsage)
  MD_HANDLER(GetTrace)
#undef MD_HANDLER

  asio::awaitable<absl::Status> ExportDailyReport(const rpc::Call& call, const v1::ExportDailyReportRequest& request,
                                                  rpc::StreamWriter<v1::ExportDailyReportResponse>& writer);
  grpc::ServerWriteReactor<v1::ExportDailyReportResponse>* ExportDailyReport(
      grpc::CallbackServerContext* context, const v1::ExportDailyReportRequest* request) override {
    return rpc::ServeStream<v1::ExportDailyReportResponse>(
        context, dispatcher_, "ReportService/ExportDailyReport",
        [this, request](const rpc::Call& call, rpc::StreamWriter<v1::ExportDailyReportResponse>& writer) {
          return ExportDailyReport(call, *request, writer);
        });
  }

 private:
  rpc::Dispatcher& dispatcher_;
  DbPool& pool_;
};

}  // namespace medidesk::store
