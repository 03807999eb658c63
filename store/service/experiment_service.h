// medidesk.store.v1.ExperimentService: checks requests; the functions of 0013_experiments.sql answer them.
// Thread-safe; must outlive its server.
#pragma once

#include "base/rpc/serve.h"
#include "medidesk/store/v1/experiment.grpc.pb.h"
#include "store/db_pool.h"

namespace medidesk::store {

class ExperimentService final : public v1::ExperimentService::CallbackService {
 public:
  // Out of line, like the destructor: gRPC's machinery is compiled once, not wherever this header is read.
  ExperimentService(rpc::Dispatcher& dispatcher, DbPool& pool);
  ~ExperimentService() override;

// A handler free of gRPC, for tests, and its override.
#define MD_HANDLER(Name)                                                                                             \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> Name(const rpc::Call& call, const v1::Name##Request& request); \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const v1::Name##Request* request,             \
                                 v1::Name##Response* response) override {                                            \
    return rpc::ServeUnary(context, dispatcher_, "ExperimentService/" #Name, response,                               \
                           [this, request](const rpc::Call& call) { return Name(call, *request); });                 \
  }
  MD_HANDLER(CreateExperiment)
  MD_HANDLER(GetExperiment)
  MD_HANDLER(ListExperiments)
  MD_HANDLER(StartExperiment)
  MD_HANDLER(StopExperiment)
  MD_HANDLER(AssignVariant)
  MD_HANDLER(RecordOutcome)
  MD_HANDLER(ReportExperiment)
#undef MD_HANDLER

 private:
  rpc::Dispatcher& dispatcher_;
  DbPool& pool_;
};

}  // namespace medidesk::store
