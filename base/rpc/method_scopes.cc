#include "base/rpc/method_scopes.h"

#include <algorithm>
#include <array>

namespace medidesk::rpc {
namespace {

// Reading, of what the REST API's GETs show. Not among them: queues and records that services work from, device
// keys, accounts and tokens, and the audit log, which tells who looked at whom.
constexpr std::array<std::string_view, 42> kReads = {
    "ConversationService/GetConversation",
    "ConversationService/ListConversations",
    "ConversationService/ListMessages",
    "DeskService/GetDeskConversation",
    "DeskService/ListInbox",
    "DeskService/ListMarkedAnswers",
    "DeviceService/GetNumber",
    "DeviceService/ListNumbers",
    "DeviceService/WatchNumbers",
    "ExperimentService/GetExperiment",
    "ExperimentService/ListExperiments",
    "ExperimentService/ReportExperiment",
    "GatewayService/GetNumber",
    "GatewayService/ListNumbers",
    "GatewayService/WatchNumbers",
    "KnowledgeService/Export",
    "KnowledgeService/GetDepartment",
    "KnowledgeService/GetDoctor",
    "KnowledgeService/GetFacts",
    "KnowledgeService/GetFaq",
    "KnowledgeService/GetHospital",
    "KnowledgeService/GetVisitingHours",
    "KnowledgeService/ListDepartments",
    "KnowledgeService/ListDoctors",
    "KnowledgeService/ListFaqs",
    "KnowledgeService/ListKnowledgeChanges",
    "KnowledgeService/ListVisitingHours",
    "KnowledgeService/Watch",
    "PatientService/ExportPatient",
    "PatientService/GetPatient",
    "PatientService/ListPatients",
    "ReportService/ExportDailyReport",
    "ReportService/GetBreakdown",
    "ReportService/GetCounts",
    "ReportService/GetLatency",
    "ReportService/GetModelUsage",
    "ReportService/GetTrace",
    "ReportService/ListEmergencies",
    "ReportService/ListUnansweredQuestions",
    "TaskService/GetTask",
    "TaskService/ListTasks",
    "TaskService/WatchTasks",
};

}  // namespace

store::v1::TokenScope ScopeOfMethod(std::string_view method) {
  if (method == "AssistantService/Reply" || method == "AssistantService/StreamReply") {
    return store::v1::TOKEN_SCOPE_REPLY;
  }
  if (method == "AssistantService/Screen") return store::v1::TOKEN_SCOPE_SCREEN;
  if (method == "AssistantService/PreviewContext") return store::v1::TOKEN_SCOPE_PREVIEW;
  if (method == "GatewayService/SendMessage") return store::v1::TOKEN_SCOPE_SEND;
  const bool reads = !method.empty() && std::find(kReads.begin(), kReads.end(), method) != kReads.end();
  return reads ? store::v1::TOKEN_SCOPE_READ : store::v1::TOKEN_SCOPE_ADMIN;
}

}  // namespace medidesk::rpc
