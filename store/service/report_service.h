// medidesk.store.v1.ReportService: the way of one message through the system. What it does not have yet answers
// UNIMPLEMENTED. Thread-safe; must outlive its server.
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

  // Free of gRPC, for tests, and its override.
  asio::awaitable<absl::StatusOr<v1::GetTraceResponse>> GetTrace(const rpc::Call& call,
                                                                 const v1::GetTraceRequest& request);
  grpc::ServerUnaryReactor* GetTrace(grpc::CallbackServerContext* context, const v1::GetTraceRequest* request,
                                     v1::GetTraceResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "ReportService/GetTrace", response,
                           [this, request](const rpc::Call& call) { return GetTrace(call, *request); });
  }

 private:
  rpc::Dispatcher& dispatcher_;
  DbPool& pool_;
};

}  // namespace medidesk::store
