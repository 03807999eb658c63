// medidesk.store.v1.DeskService: checks requests; the functions of 0015_desk.sql answer them.
// Thread-safe; must outlive its server.
#pragma once

#include "base/rpc/serve.h"
#include "medidesk/store/v1/desk.grpc.pb.h"
#include "store/db_pool.h"

namespace medidesk::store {

class DeskService final : public v1::DeskService::CallbackService {
 public:
  // Out of line, like the destructor: gRPC's machinery is compiled once, not wherever this header is read.
  DeskService(rpc::Dispatcher& dispatcher, DbPool& pool);
  ~DeskService() override;

// A handler free of gRPC, for tests, and its override.
#define MD_HANDLER(Name)                                                                                             \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> Name(const rpc::Call& call, const v1::Name##Request& request); \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const v1::Name##Request* request,             \
                                 v1::Name##Response* response) override {                                            \
    return rpc::ServeUnary(context, dispatcher_, "DeskService/" #Name, response,                                     \
                           [this, request](const rpc::Call& call) { return Name(call, *request); });                 \
  }
  MD_HANDLER(ListInbox)
  MD_HANDLER(GetDeskConversation)
  MD_HANDLER(MarkRead)
  MD_HANDLER(HoldConversation)
  MD_HANDLER(SendStaffMessage)
  MD_HANDLER(AddNote)
  MD_HANDLER(DeleteNote)
  MD_HANDLER(MarkAnswer)
  MD_HANDLER(ListMarkedAnswers)
#undef MD_HANDLER

 private:
  rpc::Dispatcher& dispatcher_;
  DbPool& pool_;
};

}  // namespace medidesk::store
