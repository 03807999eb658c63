// medidesk.store.v1.ConversationService over the repository: checks requests, waits for claims,
// follows the outbox. Thread-safe; must outlive its server.
#pragma once

#include <chrono>

#include "base/rpc/serve.h"
#include "medidesk/store/v1/conversation.grpc.pb.h"
#include "store/conversation_repository.h"

namespace medidesk::store {

class ConversationService final : public v1::ConversationService::CallbackService {
 public:
  struct Options {
    std::chrono::milliseconds claim_poll{40};    // how often a waiting GetTurn looks again
    std::chrono::milliseconds outbox_poll{500};  // how often an outbox stream looks again
  };
  // Out of line, like the destructor: gRPC's machinery is compiled once, not wherever this header is read.
  ConversationService(rpc::Dispatcher& dispatcher, ConversationRepository& repository, Options options);
  ~ConversationService() override;

  // The handlers, free of gRPC; tests call them.
  asio::awaitable<absl::StatusOr<v1::AcceptResponse>> Accept(const rpc::Call& call, const v1::AcceptRequest& request);
  asio::awaitable<absl::StatusOr<v1::GetTurnResponse>> GetTurn(const rpc::Call& call,
                                                               const v1::GetTurnRequest& request);
  asio::awaitable<absl::StatusOr<v1::RenewClaimResponse>> RenewClaim(const rpc::Call& call,
                                                                     const v1::RenewClaimRequest& request);
  asio::awaitable<absl::StatusOr<v1::CommitReplyResponse>> CommitReply(const rpc::Call& call,
                                                                       const v1::CommitReplyRequest& request);
  asio::awaitable<absl::StatusOr<v1::ListPendingResponse>> ListPending(const rpc::Call& call,
                                                                       const v1::ListPendingRequest& request);
  asio::awaitable<absl::StatusOr<v1::QueueOutboundResponse>> QueueOutbound(const rpc::Call& call,
                                                                           const v1::QueueOutboundRequest& request);
  asio::awaitable<absl::Status> WatchOutbox(const rpc::Call& call, const v1::WatchOutboxRequest& request,
                                            rpc::StreamWriter<v1::WatchOutboxResponse>& writer);
  asio::awaitable<absl::StatusOr<v1::ListConversationsResponse>> ListConversations(
      const rpc::Call& call, const v1::ListConversationsRequest& request);
  asio::awaitable<absl::StatusOr<v1::GetConversationResponse>> GetConversation(
      const rpc::Call& call, const v1::GetConversationRequest& request);
  asio::awaitable<absl::StatusOr<v1::UpdateConversationResponse>> UpdateConversation(
      const rpc::Call& call, const v1::UpdateConversationRequest& request);
  asio::awaitable<absl::StatusOr<v1::ListMessagesResponse>> ListMessages(const rpc::Call& call,
                                                                         const v1::ListMessagesRequest& request);
  asio::awaitable<absl::StatusOr<v1::TakeOverResponse>> TakeOver(const rpc::Call& call,
                                                                 const v1::TakeOverRequest& request);
  asio::awaitable<absl::StatusOr<v1::HandBackResponse>> HandBack(const rpc::Call& call,
                                                                 const v1::HandBackRequest& request);
  asio::awaitable<absl::StatusOr<v1::AssignConversationResponse>> AssignConversation(
      const rpc::Call& call, const v1::AssignConversationRequest& request);

#define MD_UNARY(Name)                                                                                   \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const v1::Name##Request* request, \
                                 v1::Name##Response* response) override {                                \
    return rpc::ServeUnary(context, dispatcher_, "ConversationService/" #Name, response,                 \
                           [this, request](const rpc::Call& call) { return Name(call, *request); });     \
  }
  MD_UNARY(Accept)
  MD_UNARY(GetTurn)
  MD_UNARY(RenewClaim)
  MD_UNARY(CommitReply)
  MD_UNARY(ListPending)
  MD_UNARY(QueueOutbound)
  MD_UNARY(ListConversations)
  MD_UNARY(GetConversation)
  MD_UNARY(UpdateConversation)
  MD_UNARY(ListMessages)
  MD_UNARY(TakeOver)
  MD_UNARY(HandBack)
  MD_UNARY(AssignConversation)
#undef MD_UNARY
  grpc::ServerWriteReactor<v1::WatchOutboxResponse>* WatchOutbox(grpc::CallbackServerContext* context,
                                                                 const v1::WatchOutboxRequest* request) override {
    return rpc::ServeStream<v1::WatchOutboxResponse>(
        context, dispatcher_, "ConversationService/WatchOutbox",
        [this, request](const rpc::Call& call, rpc::StreamWriter<v1::WatchOutboxResponse>& writer) {
          return WatchOutbox(call, *request, writer);
        });
  }

 private:
  // The conversation as it is now, for the answer to a change.
  asio::awaitable<absl::StatusOr<v1::Conversation>> Read(const std::string& id, const rpc::Call& call);
  asio::awaitable<absl::StatusOr<v1::Conversation>> ChangeTakeover(const rpc::Call& call,
                                                                   const std::string& conversation_id, bool on,
                                                                   const std::string& staff_id,
                                                                   const std::string& reason);

  rpc::Dispatcher& dispatcher_;
  ConversationRepository& repository_;
  const Options options_;
};

}  // namespace medidesk::store
