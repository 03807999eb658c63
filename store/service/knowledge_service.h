// medidesk.store.v1.KnowledgeService over the repository: import, export, single rows, revisions.
// Thread-safe; must outlive its server.
#pragma once

#include <chrono>

#include "base/rpc/serve.h"
#include "medidesk/store/v1/knowledge.grpc.pb.h"
#include "store/knowledge/knowledge_repository.h"

namespace medidesk::store {

class KnowledgeService final : public v1::KnowledgeService::CallbackService {
 public:
  struct Options {
    // How often a watcher looks; another process's change is told within twice that, our own within once.
    std::chrono::milliseconds watch_poll{250};
  };
  // Out of line, like the destructor: gRPC's machinery is compiled once, not wherever this header is read.
  KnowledgeService(rpc::Dispatcher& dispatcher, KnowledgeRepository& repository, Options options);
  ~KnowledgeService() override;

// A handler free of gRPC, for tests, and its override.
#define MD_HANDLER(Name, Message)                                                                           \
  asio::awaitable<absl::StatusOr<v1::Message##Response>> Name(const rpc::Call& call,                        \
                                                              const v1::Message##Request& request);         \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const v1::Message##Request* request, \
                                 v1::Message##Response* response) override {                                \
    return rpc::ServeUnary(context, dispatcher_, "KnowledgeService/" #Name, response,                       \
                           [this, request](const rpc::Call& call) { return Name(call, *request); });        \
  }
#define MD_ROW_HANDLERS(Row, Rows)     \
  MD_HANDLER(List##Rows, List##Rows)   \
  MD_HANDLER(Get##Row, Get##Row)       \
  MD_HANDLER(Create##Row, Create##Row) \
  MD_HANDLER(Update##Row, Update##Row) \
  MD_HANDLER(Delete##Row, Delete##Row)
  MD_HANDLER(GetFacts, GetFacts)
  MD_HANDLER(Import, KnowledgeServiceImport)
  MD_HANDLER(Export, KnowledgeServiceExport)
  MD_HANDLER(GetHospital, GetHospital)
  MD_HANDLER(UpdateHospital, UpdateHospital)
  MD_ROW_HANDLERS(Department, Departments)
  MD_ROW_HANDLERS(Doctor, Doctors)
  MD_ROW_HANDLERS(Faq, Faqs)
  MD_ROW_HANDLERS(VisitingHours, VisitingHours)
  MD_HANDLER(ListKnowledgeChanges, ListKnowledgeChanges)
#undef MD_ROW_HANDLERS
#undef MD_HANDLER

  asio::awaitable<absl::Status> Watch(const rpc::Call& call, const v1::KnowledgeServiceWatchRequest& request,
                                      rpc::StreamWriter<v1::KnowledgeServiceWatchResponse>& writer);
  grpc::ServerWriteReactor<v1::KnowledgeServiceWatchResponse>* Watch(
      grpc::CallbackServerContext* context, const v1::KnowledgeServiceWatchRequest* request) override {
    return rpc::ServeStream<v1::KnowledgeServiceWatchResponse>(
        context, dispatcher_, "KnowledgeService/Watch",
        [this, request](const rpc::Call& call, rpc::StreamWriter<v1::KnowledgeServiceWatchResponse>& writer) {
          return Watch(call, *request, writer);
        },
        rpc::CallKind::kEndlessStream);
  }

 private:
  rpc::Dispatcher& dispatcher_;
  KnowledgeRepository& repository_;
  const Options options_;
};

}  // namespace medidesk::store
