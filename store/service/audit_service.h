// medidesk.store.v1.AuditService: checks requests; the functions of 0006_audit_records.sql answer them.
// Thread-safe; must outlive its server.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/rpc/serve.h"
#include "medidesk/store/v1/audit.grpc.pb.h"
#include "store/db_pool.h"

namespace medidesk::store {

class AuditService final : public v1::AuditService::CallbackService {
 public:
  struct Options {
    std::int64_t verify_rows = 20'000;          // records checked in one statement
    std::chrono::milliseconds event_poll{500};  // how often a follower of events looks
    std::chrono::milliseconds silence{15'000};  // after which it gets a sign of life
  };
  // Out of line, like the destructor: gRPC's machinery is compiled once, not wherever this header is read.
  AuditService(rpc::Dispatcher& dispatcher, DbPool& pool, Options options);
  ~AuditService() override;

// A handler free of gRPC, for tests, and its override.
#define MD_HANDLER(Name)                                                                                             \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> Name(const rpc::Call& call, const v1::Name##Request& request); \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const v1::Name##Request* request,             \
                                 v1::Name##Response* response) override {                                            \
    return rpc::ServeUnary(context, dispatcher_, "AuditService/" #Name, response,                                    \
                           [this, request](const rpc::Call& call) { return Name(call, *request); });                 \
  }
  MD_HANDLER(ListAuditRecords)
  MD_HANDLER(AppendReadEvent)
#undef MD_HANDLER

  asio::awaitable<absl::Status> VerifyAudit(const rpc::Call& call, const v1::VerifyAuditRequest& request,
                                            rpc::StreamWriter<v1::VerifyAuditResponse>& writer);
  grpc::ServerWriteReactor<v1::VerifyAuditResponse>* VerifyAudit(grpc::CallbackServerContext* context,
                                                                 const v1::VerifyAuditRequest* request) override {
    return rpc::ServeStream<v1::VerifyAuditResponse>(
        context, dispatcher_, "AuditService/VerifyAudit",
        [this, request](const rpc::Call& call, rpc::StreamWriter<v1::VerifyAuditResponse>& writer) {
          return VerifyAudit(call, *request, writer);
        });
  }

  asio::awaitable<absl::Status> WatchEvents(const rpc::Call& call, const v1::WatchEventsRequest& request,
                                            rpc::StreamWriter<v1::WatchEventsResponse>& writer);
  grpc::ServerWriteReactor<v1::WatchEventsResponse>* WatchEvents(grpc::CallbackServerContext* context,
                                                                 const v1::WatchEventsRequest* request) override {
    return rpc::ServeStream<v1::WatchEventsResponse>(
        context, dispatcher_, "AuditService/WatchEvents",
        [this, request](const rpc::Call& call, rpc::StreamWriter<v1::WatchEventsResponse>& writer) {
          return WatchEvents(call, *request, writer);
        },
        rpc::CallKind::kEndlessStream);
  }

 private:
  rpc::Dispatcher& dispatcher_;
  DbPool& pool_;
  const Options options_;
};

}  // namespace medidesk::store
