// medidesk.store.v1.TaskService: checks requests; the functions of 0006_tasks.sql answer them.
// Thread-safe; must outlive its server.
#pragma once

#include <chrono>

#include "base/rpc/serve.h"
#include "medidesk/store/v1/task.grpc.pb.h"
#include "store/db_pool.h"

namespace medidesk::store {

class TaskService final : public v1::TaskService::CallbackService {
 public:
  struct Options {
    std::chrono::milliseconds watch_poll{500};  // how often a watcher looks
  };
  // Out of line, like the destructor: gRPC's machinery is compiled once, not wherever this header is read.
  TaskService(rpc::Dispatcher& dispatcher, DbPool& pool, Options options);
  ~TaskService() override;

// A handler free of gRPC, for tests, and its override.
#define MD_HANDLER(Name)                                                                                             \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> Name(const rpc::Call& call, const v1::Name##Request& request); \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const v1::Name##Request* request,             \
                                 v1::Name##Response* response) override {                                            \
    return rpc::ServeUnary(context, dispatcher_, "TaskService/" #Name, response,                                     \
                           [this, request](const rpc::Call& call) { return Name(call, *request); });                 \
  }
  MD_HANDLER(GetTask)
  MD_HANDLER(ListTasks)
  MD_HANDLER(CreateTask)
  MD_HANDLER(ClaimTask)
  MD_HANDLER(ReleaseTask)
  MD_HANDLER(CompleteTask)
#undef MD_HANDLER

  asio::awaitable<absl::Status> WatchTasks(const rpc::Call& call, const v1::WatchTasksRequest& request,
                                           rpc::StreamWriter<v1::WatchTasksResponse>& writer);
  grpc::ServerWriteReactor<v1::WatchTasksResponse>* WatchTasks(grpc::CallbackServerContext* context,
                                                               const v1::WatchTasksRequest* request) override {
    return rpc::ServeStream<v1::WatchTasksResponse>(
        context, dispatcher_, "TaskService/WatchTasks",
        [this, request](const rpc::Call& call, rpc::StreamWriter<v1::WatchTasksResponse>& writer) {
          return WatchTasks(call, *request, writer);
        },
        rpc::CallKind::kEndlessStream);
  }

 private:
  rpc::Dispatcher& dispatcher_;
  DbPool& pool_;
  const Options options_;
};

}  // namespace medidesk::store
