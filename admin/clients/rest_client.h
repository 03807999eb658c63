// The way of /v1 and of the dashboard to the services: one line for each RPC that they call.
//
// Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "admin/api/rest/rpc_backend.h"
#include "base/rpc/client.h"
#include "medidesk/assistant/v1/assistant.grpc.pb.h"
#include "medidesk/gateway/v1/gateway.grpc.pb.h"
#include "medidesk/store/v1/access.grpc.pb.h"
#include "medidesk/store/v1/audit.grpc.pb.h"
#include "medidesk/store/v1/conversation.grpc.pb.h"
#include "medidesk/store/v1/desk.grpc.pb.h"
#include "medidesk/store/v1/device.grpc.pb.h"
#include "medidesk/store/v1/experiment.grpc.pb.h"
#include "medidesk/store/v1/knowledge.grpc.pb.h"
#include "medidesk/store/v1/patient.grpc.pb.h"
#include "medidesk/store/v1/report.grpc.pb.h"
#include "medidesk/store/v1/task.grpc.pb.h"

namespace medidesk::admin {

class RestClient final : public rest::RpcBackend {
 public:
  RestClient(const rpc::Channel& store, const rpc::Channel& assistant, const rpc::Channel& gateway);

  boost::asio::awaitable<absl::StatusOr<rest::MessagePtr>> Call(const google::protobuf::MethodDescriptor& method,
                                                                rest::MessagePtr request,
                                                                rest::CallContext context) override;
  std::unique_ptr<rest::MessageStream> Stream(const google::protobuf::MethodDescriptor& method,
                                              rest::MessagePtr request, rest::CallContext context) override;

 private:
  using Unary = std::function<boost::asio::awaitable<absl::StatusOr<rest::MessagePtr>>(rest::MessagePtr request,
                                                                                       rpc::CallOptions options)>;
  using Opener = std::function<std::unique_ptr<rest::MessageStream>(const google::protobuf::Message& request,
                                                                    const rpc::CallOptions& options)>;

  template <class Service, class Name>
  void AddUnary(const rpc::Client<Service>& client, const char* rpc, Name name);
  template <class Service, class Name>
  void AddStream(const rpc::Client<Service>& client, const char* rpc, Name name);

  const rpc::Client<store::v1::ConversationService> conversations_;
  const rpc::Client<store::v1::KnowledgeService> knowledge_;
  const rpc::Client<store::v1::PatientService> patients_;
  const rpc::Client<store::v1::TaskService> tasks_;
  const rpc::Client<store::v1::AuditService> audit_;
  const rpc::Client<store::v1::DeskService> desk_;
  const rpc::Client<store::v1::AccessService> access_;
  const rpc::Client<store::v1::ReportService> reports_;
  const rpc::Client<store::v1::ExperimentService> experiments_;
  const rpc::Client<store::v1::DeviceService> devices_;
  const rpc::Client<assistant::v1::AssistantService> assistant_;
  const rpc::Client<gateway::v1::GatewayService> gateway_;
  std::unordered_map<std::string, Unary> unary_;  // by the full name of the method
  std::unordered_map<std::string, Opener> streams_;
};

}  // namespace medidesk::admin
