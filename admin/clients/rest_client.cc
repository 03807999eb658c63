#include "admin/clients/rest_client.h"

namespace medidesk::admin {

namespace asio = boost::asio;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
using rest::MessagePtr;

namespace {

absl::Status NotOurs() { return Error(absl::StatusCode::kUnimplemented, "this method is not called from /v1"); }
absl::Status WrongType() { return Error(absl::StatusCode::kInternal, "the request is of another method"); }

template <class Service, class Name>
asio::awaitable<absl::StatusOr<MessagePtr>> CallOne(const rpc::Client<Service>& client, Name name, MessagePtr request,
                                                    rpc::CallOptions options) {
  using Method = decltype(name(std::type_identity<Service>{}));
  auto* const typed = dynamic_cast<typename Method::Request*>(request.get());
  if (typed == nullptr) co_return WrongType();
  auto response = co_await client.Call(name, std::move(*typed), options);
  if (!response.ok()) co_return response.status();
  co_return MessagePtr(std::make_unique<typename Method::Response>(*std::move(response)));
}

template <class Response>
class Reader final : public rest::MessageStream {
 public:
  explicit Reader(rpc::StreamReader<Response> reader) : reader_(std::move(reader)) {}

  asio::awaitable<absl::StatusOr<MessagePtr>> Next() override {
    absl::StatusOr<std::optional<Response>> next = co_await reader_.Next();
    if (!next.ok()) co_return next.status();
    if (!*next) co_return MessagePtr();
    co_return MessagePtr(std::make_unique<Response>(**std::move(next)));
  }

 private:
  rpc::StreamReader<Response> reader_;
};

class Refused final : public rest::MessageStream {
 public:
  explicit Refused(absl::Status why) : why_(std::move(why)) {}
  asio::awaitable<absl::StatusOr<MessagePtr>> Next() override { co_return why_; }

 private:
  const absl::Status why_;
};

rpc::CallOptions OptionsOf(rest::CallContext context) {
  rpc::CallOptions options = rpc::Within(context.timeout);
  options.trace = std::move(context.trace);
  return options;
}

}  // namespace

template <class Service, class Name>
void RestClient::AddUnary(const rpc::Client<Service>& client, const char* rpc, Name name) {
  unary_.emplace(rpc, [&client, name](MessagePtr request, rpc::CallOptions options) {
    return CallOne(client, name, std::move(request), std::move(options));
  });
}

template <class Service, class Name>
void RestClient::AddStream(const rpc::Client<Service>& client, const char* rpc, Name name) {
  streams_.emplace(
      rpc,
      [&client, name](const Message& request, const rpc::CallOptions& options) -> std::unique_ptr<rest::MessageStream> {
        using Method = decltype(name(std::type_identity<Service>{}));
        const auto* const typed = dynamic_cast<const typename Method::Request*>(&request);
        if (typed == nullptr) return std::make_unique<Refused>(WrongType());
        return std::make_unique<Reader<typename Method::Response>>(client.Stream(name, *typed, options));
      });
}

RestClient::RestClient(const rpc::Channel& store, const rpc::Channel& assistant, const rpc::Channel& gateway)
    : conversations_(store),
      knowledge_(store),
      patients_(store),
      tasks_(store),
      audit_(store),
      desk_(store),
      access_(store),
      reports_(store),
      experiments_(store),
      devices_(store),
      assistant_(assistant),
      gateway_(gateway) {
#define MD_CONVERSATIONS(name) AddUnary(conversations_, "medidesk.store.v1.ConversationService." #name, MD_METHOD(name))
  MD_CONVERSATIONS(ListConversations);
  MD_CONVERSATIONS(GetConversation);
  MD_CONVERSATIONS(UpdateConversation);
  MD_CONVERSATIONS(TakeOver);
  MD_CONVERSATIONS(HandBack);
  MD_CONVERSATIONS(AssignConversation);
  MD_CONVERSATIONS(ListMessages);
  MD_CONVERSATIONS(QueueOutbound);
#undef MD_CONVERSATIONS

#define MD_KNOWLEDGE(name) AddUnary(knowledge_, "medidesk.store.v1.KnowledgeService." #name, MD_METHOD(name))
  MD_KNOWLEDGE(GetFacts);
  MD_KNOWLEDGE(Import);
  MD_KNOWLEDGE(Export);
  MD_KNOWLEDGE(ListKnowledgeChanges);
  MD_KNOWLEDGE(GetHospital);
  MD_KNOWLEDGE(UpdateHospital);
  MD_KNOWLEDGE(ListDepartments);
  MD_KNOWLEDGE(GetDepartment);
  MD_KNOWLEDGE(CreateDepartment);
  MD_KNOWLEDGE(UpdateDepartment);
  MD_KNOWLEDGE(DeleteDepartment);
  MD_KNOWLEDGE(ListDoctors);
  MD_KNOWLEDGE(GetDoctor);
  MD_KNOWLEDGE(CreateDoctor);
  MD_KNOWLEDGE(UpdateDoctor);
  MD_KNOWLEDGE(DeleteDoctor);
  MD_KNOWLEDGE(ListFaqs);
  MD_KNOWLEDGE(GetFaq);
  MD_KNOWLEDGE(CreateFaq);
  MD_KNOWLEDGE(UpdateFaq);
  MD_KNOWLEDGE(DeleteFaq);
  MD_KNOWLEDGE(ListVisitingHours);
  MD_KNOWLEDGE(GetVisitingHours);
  MD_KNOWLEDGE(CreateVisitingHours);
  MD_KNOWLEDGE(UpdateVisitingHours);
  MD_KNOWLEDGE(DeleteVisitingHours);
#undef MD_KNOWLEDGE

#define MD_PATIENTS(name) AddUnary(patients_, "medidesk.store.v1.PatientService." #name, MD_METHOD(name))
  MD_PATIENTS(GetPatient);
  MD_PATIENTS(ListPatients);
  MD_PATIENTS(CreatePatient);
  MD_PATIENTS(UpdatePatient);
  MD_PATIENTS(LinkContact);
  MD_PATIENTS(UnlinkContact);
  MD_PATIENTS(ErasePatient);
#undef MD_PATIENTS
  AddStream(patients_, "medidesk.store.v1.PatientService.ExportPatient", MD_METHOD(ExportPatient));

#define MD_TASKS(name) AddUnary(tasks_, "medidesk.store.v1.TaskService." #name, MD_METHOD(name))
  MD_TASKS(GetTask);
  MD_TASKS(ListTasks);
  MD_TASKS(CreateTask);
  MD_TASKS(ClaimTask);
  MD_TASKS(ReleaseTask);
  MD_TASKS(CompleteTask);
#undef MD_TASKS

  AddUnary(audit_, "medidesk.store.v1.AuditService.ListAuditRecords", MD_METHOD(ListAuditRecords));
  AddUnary(audit_, "medidesk.store.v1.AuditService.AppendReadEvent", MD_METHOD(AppendReadEvent));
  AddStream(audit_, "medidesk.store.v1.AuditService.VerifyAudit", MD_METHOD(VerifyAudit));
  AddStream(audit_, "medidesk.store.v1.AuditService.WatchEvents", MD_METHOD(WatchEvents));

#define MD_DESK(name) AddUnary(desk_, "medidesk.store.v1.DeskService." #name, MD_METHOD(name))
  MD_DESK(ListInbox);
  MD_DESK(GetDeskConversation);
  MD_DESK(MarkRead);
  MD_DESK(HoldConversation);
  MD_DESK(SendStaffMessage);
  MD_DESK(AddNote);
  MD_DESK(DeleteNote);
  MD_DESK(MarkAnswer);
  MD_DESK(ListMarkedAnswers);
#undef MD_DESK

#define MD_ACCESS(name) AddUnary(access_, "medidesk.store.v1.AccessService." #name, MD_METHOD(name))
  MD_ACCESS(CreateStaff);
  MD_ACCESS(GetStaff);
  MD_ACCESS(ListStaff);
  MD_ACCESS(UpdateStaff);
  MD_ACCESS(InviteStaff);
  MD_ACCESS(SetPassword);
  MD_ACCESS(Login);
  MD_ACCESS(CheckSession);
  MD_ACCESS(Logout);
#undef MD_ACCESS

#define MD_REPORTS(name) AddUnary(reports_, "medidesk.store.v1.ReportService." #name, MD_METHOD(name))
  MD_REPORTS(GetCounts);
  MD_REPORTS(GetLatency);
  MD_REPORTS(GetBreakdown);
  MD_REPORTS(GetModelUsage);
  MD_REPORTS(ListEmergencies);
  MD_REPORTS(ListUnansweredQuestions);
#undef MD_REPORTS
  AddStream(reports_, "medidesk.store.v1.ReportService.ExportDailyReport", MD_METHOD(ExportDailyReport));

#define MD_EXPERIMENTS(name) AddUnary(experiments_, "medidesk.store.v1.ExperimentService." #name, MD_METHOD(name))
  MD_EXPERIMENTS(ListExperiments);
  MD_EXPERIMENTS(CreateExperiment);
  MD_EXPERIMENTS(GetExperiment);
  MD_EXPERIMENTS(ReportExperiment);
  MD_EXPERIMENTS(StartExperiment);
  MD_EXPERIMENTS(StopExperiment);
  MD_EXPERIMENTS(RecordOutcome);
#undef MD_EXPERIMENTS
  AddUnary(devices_, "medidesk.store.v1.DeviceService.UpsertNumber", MD_METHOD(UpsertNumber));

#define MD_GATEWAY(name) AddUnary(gateway_, "medidesk.gateway.v1.GatewayService." #name, MD_METHOD(name))
  MD_GATEWAY(ListNumbers);
  MD_GATEWAY(UnlinkNumber);
  MD_GATEWAY(SubmitPasskey);
  MD_GATEWAY(ConfirmPasskeyCode);
#undef MD_GATEWAY
  AddStream(gateway_, "medidesk.gateway.v1.GatewayService.LinkNumber", MD_METHOD(LinkNumber));

#define MD_ASSISTANT(name) AddUnary(assistant_, "medidesk.assistant.v1.AssistantService." #name, MD_METHOD(name))
  MD_ASSISTANT(Reply);
  MD_ASSISTANT(Screen);
  MD_ASSISTANT(PreviewContext);
  MD_ASSISTANT(TryQuestion);
#undef MD_ASSISTANT
  AddStream(assistant_, "medidesk.assistant.v1.AssistantService.StreamReply", MD_METHOD(StreamReply));
}

asio::awaitable<absl::StatusOr<MessagePtr>> RestClient::Call(const MethodDescriptor& method, MessagePtr request,
                                                             rest::CallContext context) {
  const auto found = unary_.find(method.full_name());
  if (found == unary_.end()) co_return NotOurs();
  rpc::CallOptions options = OptionsOf(std::move(context));
  co_return co_await found->second(std::move(request), std::move(options));
}

std::unique_ptr<rest::MessageStream> RestClient::Stream(const MethodDescriptor& method, MessagePtr request,
                                                        rest::CallContext context) {
  const auto found = streams_.find(method.full_name());
  if (found == streams_.end()) return std::make_unique<Refused>(NotOurs());
  return found->second(*request, OptionsOf(std::move(context)));
}

}  // namespace medidesk::admin
