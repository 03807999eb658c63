// medidesk.assistant.v1.AssistantService: checks requests and callers, then TurnFlow. Thread-safe;
// must outlive its server.
#pragma once

#include "assistant/service/turn_flow.h"
#include "base/rpc/serve.h"
#include "medidesk/assistant/v1/assistant.grpc.pb.h"

namespace medidesk::assistant {

class AssistantService final : public v1::AssistantService::CallbackService {
 public:
  // Out of line, like the destructor: gRPC's machinery is compiled once, not wherever this header is read.
  AssistantService(rpc::Dispatcher& dispatcher, const rpc::Channel& store, const safety::Gate& gate,
                   const safety::Texts& texts, const FactCache& facts, ContextOptions context);
  ~AssistantService() override;

  // Before the server starts.
  void SetFlow(TurnFlow* flow, AnswerMaker* answers) {
    flow_ = flow;
    answers_ = answers;
  }

  boost::asio::awaitable<absl::StatusOr<v1::ReplyResponse>> Reply(const rpc::Call& call,
                                                                  const v1::ReplyRequest& request);
  boost::asio::awaitable<absl::Status> StreamReply(const rpc::Call& call, const v1::StreamReplyRequest& request,
                                                   rpc::StreamWriter<v1::StreamReplyResponse>& writer);
  boost::asio::awaitable<absl::StatusOr<v1::ScreenResponse>> Screen(const rpc::Call& call,
                                                                    const v1::ScreenRequest& request);
  boost::asio::awaitable<absl::StatusOr<v1::PreviewContextResponse>> PreviewContext(
      const rpc::Call& call, const v1::PreviewContextRequest& request);
  boost::asio::awaitable<absl::StatusOr<v1::TryQuestionResponse>> TryQuestion(const rpc::Call& call,
                                                                              const v1::TryQuestionRequest& request);

  grpc::ServerUnaryReactor* Reply(grpc::CallbackServerContext* context, const v1::ReplyRequest* request,
                                  v1::ReplyResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "AssistantService/Reply", response,
                           [this, request](const rpc::Call& call) { return Reply(call, *request); });
  }
  grpc::ServerWriteReactor<v1::StreamReplyResponse>* StreamReply(grpc::CallbackServerContext* context,
                                                                 const v1::StreamReplyRequest* request) override {
    return rpc::ServeStream<v1::StreamReplyResponse>(
        context, dispatcher_, "AssistantService/StreamReply",
        [this, request](const rpc::Call& call, rpc::StreamWriter<v1::StreamReplyResponse>& writer) {
          return StreamReply(call, *request, writer);
        });
  }
  grpc::ServerUnaryReactor* Screen(grpc::CallbackServerContext* context, const v1::ScreenRequest* request,
                                   v1::ScreenResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "AssistantService/Screen", response,
                           [this, request](const rpc::Call& call) { return Screen(call, *request); });
  }
  grpc::ServerUnaryReactor* PreviewContext(grpc::CallbackServerContext* context,
                                           const v1::PreviewContextRequest* request,
                                           v1::PreviewContextResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "AssistantService/PreviewContext", response,
                           [this, request](const rpc::Call& call) { return PreviewContext(call, *request); });
  }
  grpc::ServerUnaryReactor* TryQuestion(grpc::CallbackServerContext* context, const v1::TryQuestionRequest* request,
                                        v1::TryQuestionResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "AssistantService/TryQuestion", response,
                           [this, request](const rpc::Call& call) { return TryQuestion(call, *request); });
  }

 private:
  rpc::Dispatcher& dispatcher_;
  rpc::Client<store::v1::ConversationService> conversations_;
  TurnFlow* flow_ = nullptr;
  AnswerMaker* answers_ = nullptr;
  const safety::Gate& gate_;
  const safety::Texts& texts_;
  const FactCache& facts_;
  const ContextOptions context_;
};

}  // namespace medidesk::assistant
