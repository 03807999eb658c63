// medidesk.store.v1.PatientService: checks requests; the functions of 0006_patients.sql answer them.
// Thread-safe; must outlive its server.
#pragma once

#include <atomic>
#include <chrono>

#include "base/rpc/serve.h"
#include "medidesk/store/v1/patient.grpc.pb.h"
#include "store/db_pool.h"

namespace medidesk::store {

class PatientService final : public v1::PatientService::CallbackService {
 public:
  struct Options {
    std::size_t max_export_bytes = 64u << 20;  // of one document, which is held while it is sent
    int max_exports = 2;                       // at once
  };
  // Out of line, like the destructor: gRPC's machinery is compiled once, not wherever this header is read.
  PatientService(rpc::Dispatcher& dispatcher, DbPool& pool, Options options);
  ~PatientService() override;

// A handler free of gRPC, for tests, and its override.
#define MD_HANDLER(Name)                                                                                             \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> Name(const rpc::Call& call, const v1::Name##Request& request); \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const v1::Name##Request* request,             \
                                 v1::Name##Response* response) override {                                            \
    return rpc::ServeUnary(context, dispatcher_, "PatientService/" #Name, response,                                  \
                           [this, request](const rpc::Call& call) { return Name(call, *request); });                 \
  }
  MD_HANDLER(GetPatient)
  MD_HANDLER(ListPatients)
  MD_HANDLER(CreatePatient)
  MD_HANDLER(UpdatePatient)
  MD_HANDLER(LinkContact)
  MD_HANDLER(UnlinkContact)
  MD_HANDLER(VerifyPatient)
  MD_HANDLER(ErasePatient)
#undef MD_HANDLER

  asio::awaitable<absl::Status> ExportPatient(const rpc::Call& call, const v1::ExportPatientRequest& request,
                                              rpc::StreamWriter<v1::ExportPatientResponse>& writer);
  grpc::ServerWriteReactor<v1::ExportPatientResponse>* ExportPatient(grpc::CallbackServerContext* context,
                                                                     const v1::ExportPatientRequest* request) override {
    return rpc::ServeStream<v1::ExportPatientResponse>(
        context, dispatcher_, "PatientService/ExportPatient",
        [this, request](const rpc::Call& call, rpc::StreamWriter<v1::ExportPatientResponse>& writer) {
          return ExportPatient(call, *request, writer);
        });
  }

 private:
  rpc::Dispatcher& dispatcher_;
  DbPool& pool_;
  const Options options_;
  std::atomic<int> exports_{0};  // running
};

}  // namespace medidesk::store
