#include "admin/api/rest/route_table.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>

#include "medidesk/assistant/v1/assistant.pb.h"
#include "medidesk/gateway/v1/gateway.pb.h"
#include "medidesk/store/v1/access.pb.h"
#include "medidesk/store/v1/audit.pb.h"
#include "medidesk/store/v1/conversation.pb.h"
#include "medidesk/store/v1/desk.pb.h"
#include "medidesk/store/v1/device.pb.h"
#include "medidesk/store/v1/experiment.pb.h"
#include "medidesk/store/v1/knowledge.pb.h"
#include "medidesk/store/v1/patient.pb.h"
#include "medidesk/store/v1/report.pb.h"
#include "medidesk/store/v1/task.pb.h"

namespace medidesk::admin::rest {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;

#define MD_CONVERSATIONS "medidesk.store.v1.ConversationService."
#define MD_KNOWLEDGE "medidesk.store.v1.KnowledgeService."
#define MD_PATIENTS "medidesk.store.v1.PatientService."
#define MD_TASKS "medidesk.store.v1.TaskService."
#define MD_AUDIT "medidesk.store.v1.AuditService."
#define MD_CONVERSATION "/v1/conversations/{conversation_id}"
#define MD_PATIENT "/v1/patients/{patient_id}"
#define MD_ASSISTANT "medidesk.assistant.v1.AssistantService."
#define MD_DESK "medidesk.store.v1.DeskService."
#define MD_ACCESS "medidesk.store.v1.AccessService."
#define MD_REPORTS "medidesk.store.v1.ReportService."
#define MD_EXPERIMENTS "medidesk.store.v1.ExperimentService."
#define MD_GATEWAY "medidesk.gateway.v1.GatewayService."
#define MD_DEVICES "medidesk.store.v1.DeviceService."

// One row in the making.
struct Row {
  Row(std::string_view method, std::string_view path, std::string_view rpc, Scope scope) {
    route.method = method;
    route.path = path;
    route.rpc = rpc;
    route.scope = scope;
    if (scope == Scope::kRead) route.desk = DeskRole::kViewer;
    if (scope == Scope::kSend) route.desk = DeskRole::kAgent;
    if (scope == Scope::kReply) route.desk = DeskRole::kNobody;
  }
  Row& Desk(DeskRole role) { return Set(route.desk, role); }
  Row& Endless() { return Set(route.endless, true); }
  Row& Body(std::string_view field) { return Set(route.body, field); }
  Row& Etag(std::string_view field) { return Set(route.etag, field); }
  Row& IfMatch(std::string_view field) { return Set(route.if_match, field); }
  Row& Mask(std::string_view field) { return Set(route.mask, field); }
  Row& Audit(std::string_view field) { return Set(route.audit, field); }
  Row& Success(int status) { return Set(route.success, status); }
  Row& Answers(Answer answer) { return Set(route.answer, answer); }
  Row& Hide(std::initializer_list<std::string_view> fields) {
    return Set(route.hidden, std::vector<std::string_view>(fields));
  }

  Route route;

 private:
  template <class T>
  Row& Set(T& member, T value) {
    member = std::move(value);
    return *this;
  }
};

class Table {
 public:
  std::vector<Route> Take() {
    Conversations();
    Knowledge();
    Patients();
    Tasks();
    Assistant();
    Desk();
    Staff();
    Reports();
    Experiments();
    Numbers();
    std::vector<Route> routes;
    for (Row& row : rows_) routes.push_back(std::move(row.route));
    return routes;
  }

 private:
  Row& Add(std::string_view method, std::string_view path, std::string_view rpc, Scope scope) {
    Row& row = rows_.emplace_back(method, path, rpc, scope);
    row.route.tag = tag_;
    return row;
  }
  Row& Get(std::string_view path, std::string_view rpc, Scope scope = Scope::kRead) {
    return Add("GET", path, rpc, scope);
  }
  Row& Post(std::string_view path, std::string_view rpc, Scope scope = Scope::kAdmin) {
    return Add("POST", path, rpc, scope);
  }
  Row& Put(std::string_view path, std::string_view rpc) { return Add("PUT", path, rpc, Scope::kAdmin); }
  Row& Patch(std::string_view path, std::string_view rpc) { return Add("PATCH", path, rpc, Scope::kAdmin); }
  Row& Delete(std::string_view path, std::string_view rpc) { return Add("DELETE", path, rpc, Scope::kAdmin); }

  // Their requests name no actor, so the store cannot know who reads: that is recorded here.
  void Conversations() {
    tag_ = "Conversations";
    Get("/v1/conversations", MD_CONVERSATIONS "ListConversations").Audit("conversations.id");
    Get(MD_CONVERSATION, MD_CONVERSATIONS "GetConversation").Etag("conversation").Audit("conversation.id");
    Patch(MD_CONVERSATION, MD_CONVERSATIONS "UpdateConversation")
        .Desk(DeskRole::kAgent)
        .Body("*")
        .Hide({"etag"})
        .IfMatch("etag")
        .Etag("conversation")
        .Audit("conversation.id");
    for (const auto& [path, rpc] : {std::pair(MD_CONVERSATION ":takeOver", MD_CONVERSATIONS "TakeOver"),
                                    std::pair(MD_CONVERSATION ":handBack", MD_CONVERSATIONS "HandBack"),
                                    std::pair(MD_CONVERSATION ":assign", MD_CONVERSATIONS "AssignConversation")}) {
      Post(path, rpc).Desk(DeskRole::kAgent).Body("*").Etag("conversation").Audit("conversation.id");
    }
    tag_ = "Messages";
    Get(MD_CONVERSATION "/messages", MD_CONVERSATIONS "ListMessages").Audit("conversation_id");
    Post(MD_CONVERSATION "/messages", MD_CONVERSATIONS "QueueOutbound", Scope::kSend)
        .Desk(DeskRole::kNobody)  // it has :send, which sees who else is writing
        .Body("*")
        .Hide({"origin", "staff_id"})
        .Success(202);
  }

  void Knowledge() {
    tag_ = "Knowledge";
    Get("/v1/knowledge", MD_KNOWLEDGE "GetFacts");
    Post("/v1/knowledge:import", MD_KNOWLEDGE "Import").Body("*").Hide({"actor"});
    Get("/v1/knowledge:export", MD_KNOWLEDGE "Export");
    Get("/v1/knowledge/changes", MD_KNOWLEDGE "ListKnowledgeChanges");
    Get("/v1/knowledge/hospital", MD_KNOWLEDGE "GetHospital").Etag("hospital");
    Put("/v1/knowledge/hospital", MD_KNOWLEDGE "UpdateHospital")
        .Body("hospital")
        .Hide({"actor", "expected_revision"})
        .IfMatch("expected_revision")
        .Etag("hospital");
    // The four kinds of rows with a key are alike.
#define MD_KIND(collection, plural, singular, field)                                  \
  Get("/v1/knowledge/" collection, MD_KNOWLEDGE "List" plural);                       \
  Post("/v1/knowledge/" collection, MD_KNOWLEDGE "Create" singular)                   \
      .Body(field)                                                                    \
      .Hide({"actor"})                                                                \
      .Success(201)                                                                   \
      .Etag(field);                                                                   \
  Get("/v1/knowledge/" collection "/{key}", MD_KNOWLEDGE "Get" singular).Etag(field); \
  Put("/v1/knowledge/" collection "/{" field ".key}", MD_KNOWLEDGE "Update" singular) \
      .Body(field)                                                                    \
      .Hide({"actor", "expected_revision"})                                           \
      .IfMatch("expected_revision")                                                   \
      .Etag(field);                                                                   \
  Delete("/v1/knowledge/" collection "/{key}", MD_KNOWLEDGE "Delete" singular)        \
      .Hide({"actor", "expected_revision"})                                           \
      .IfMatch("expected_revision")
    MD_KIND("departments", "Departments", "Department", "department");
    MD_KIND("doctors", "Doctors", "Doctor", "doctor");
    MD_KIND("faqs", "Faqs", "Faq", "faq");
    MD_KIND("visitingHours", "VisitingHours", "VisitingHours", "visiting_hours");
#undef MD_KIND
  }

  void Patients() {
    tag_ = "Patients";
    Get("/v1/patients", MD_PATIENTS "ListPatients").Hide({"actor"});
    Post("/v1/patients", MD_PATIENTS "CreatePatient")
        .Desk(DeskRole::kAgent)
        .Body("patient")
        .Hide({"actor"})
        .Success(201)
        .Etag("patient");
    Get(MD_PATIENT, MD_PATIENTS "GetPatient").Hide({"actor", "phone", "contact_id"}).Etag("patient");
    Patch("/v1/patients/{patient.id}", MD_PATIENTS "UpdatePatient")
        .Desk(DeskRole::kAgent)
        .Body("patient")
        .Hide({"actor"})
        .IfMatch("patient.etag")
        .Etag("patient")
        .Mask("update_mask");
    Post(MD_PATIENT ":linkContact", MD_PATIENTS "LinkContact")
        .Desk(DeskRole::kAgent)
        .Body("*")
        .Hide({"actor"})
        .Etag("patient");
    Post(MD_PATIENT ":unlinkContact", MD_PATIENTS "UnlinkContact")
        .Desk(DeskRole::kAgent)
        .Body("*")
        .Hide({"actor"})
        .Etag("patient");
    Get(MD_PATIENT ":export", MD_PATIENTS "ExportPatient")
        .Desk(DeskRole::kAdmin)
        .Answers(Answer::kDocument)
        .Hide({"actor", "contact_id"});
    Post(MD_PATIENT ":erase", MD_PATIENTS "ErasePatient").Body("*").Hide({"actor", "contact_id"});
  }

  void Tasks() {
    tag_ = "Tasks";
    Get("/v1/tasks", MD_TASKS "ListTasks").Hide({"actor"});
    Post("/v1/tasks", MD_TASKS "CreateTask")
        .Desk(DeskRole::kAgent)
        .Body("task")
        .Hide({"actor"})
        .Success(201)
        .Etag("task");
    Get("/v1/tasks/{task_id}", MD_TASKS "GetTask").Hide({"actor"}).Etag("task");
    Post("/v1/tasks/{task_id}:claim", MD_TASKS "ClaimTask")
        .Desk(DeskRole::kAgent)
        .Body("*")
        .Hide({"actor", "etag"})
        .IfMatch("etag")
        .Etag("task");
    Post("/v1/tasks/{task_id}:release", MD_TASKS "ReleaseTask")
        .Desk(DeskRole::kAgent)
        .Body("*")
        .Hide({"actor"})
        .Etag("task");
    Post("/v1/tasks/{task_id}:complete", MD_TASKS "CompleteTask")
        .Desk(DeskRole::kAgent)
        .Body("*")
        .Hide({"actor", "etag"})
        .IfMatch("etag")
        .Etag("task");
    tag_ = "Audit";
    Get("/v1/auditRecords", MD_AUDIT "ListAuditRecords", Scope::kAdmin).Hide({"actor"});
    Get("/v1/auditRecords:verify", MD_AUDIT "VerifyAudit", Scope::kAdmin).Answers(Answer::kMessages);
  }

  void Assistant() {
    tag_ = "Assistant";
    Post("/v1/assistant:reply", MD_ASSISTANT "Reply", Scope::kReply).Body("*").Hide({"turn_id", "inbound.route"});
    Post("/v1/assistant:streamReply", MD_ASSISTANT "StreamReply", Scope::kReply)
        .Body("*")
        .Answers(Answer::kMessages)
        .Hide({"turn_id", "inbound.route"});
    Post("/v1/assistant:screen", MD_ASSISTANT "Screen", Scope::kScreen).Body("*");
    Post("/v1/assistant:previewContext", MD_ASSISTANT "PreviewContext", Scope::kPreview)
        .Body("*")
        .Audit("conversation_id");
    Post("/v1/assistant:tryQuestion", MD_ASSISTANT "TryQuestion", Scope::kAdmin).Desk(DeskRole::kViewer).Body("*");
  }

  void Desk() {
    tag_ = "Desk";
    Get("/v1/inbox", MD_DESK "ListInbox").Hide({"actor"});
    Get(MD_CONVERSATION ":desk", MD_DESK "GetDeskConversation").Hide({"actor"});
    const auto work = [this](std::string_view path, std::string_view rpc) -> Row& {
      return Post(path, rpc).Desk(DeskRole::kAgent).Body("*").Hide({"actor"});
    };
    work(MD_CONVERSATION ":markRead", MD_DESK "MarkRead");
    work(MD_CONVERSATION ":hold", MD_DESK "HoldConversation");
    work(MD_CONVERSATION ":send", MD_DESK "SendStaffMessage").Success(202);
    work(MD_CONVERSATION "/notes", MD_DESK "AddNote").Success(201);
    Delete("/v1/notes/{note_id}", MD_DESK "DeleteNote").Desk(DeskRole::kAgent).Hide({"actor"});
    work("/v1/messages/{message_id}:mark", MD_DESK "MarkAnswer").Success(201);
    Get("/v1/markedAnswers", MD_DESK "ListMarkedAnswers").Hide({"actor"});
  }

  void Staff() {
    tag_ = "Staff";
    Get("/v1/staff", MD_ACCESS "ListStaff", Scope::kAdmin).Desk(DeskRole::kViewer);
    Get("/v1/staff/{staff_id}", MD_ACCESS "GetStaff", Scope::kAdmin).Desk(DeskRole::kViewer).Etag("staff");
    Post("/v1/staff", MD_ACCESS "CreateStaff").Body("staff").Hide({"actor"}).Success(201).Etag("staff");
    // The store lets an account change its own name and duty, and an admin everything.
    Patch("/v1/staff/{staff.id}", MD_ACCESS "UpdateStaff")
        .Desk(DeskRole::kViewer)
        .Body("staff")
        .Hide({"actor"})
        .IfMatch("staff.etag")
        .Etag("staff")
        .Mask("update_mask");
    Post("/v1/staff/{staff_id}:invite", MD_ACCESS "InviteStaff").Body("*").Hide({"actor"});
  }

  void Reports() {
    tag_ = "Reports";
    Get("/v1/reports/counts", MD_REPORTS "GetCounts");
    Get("/v1/reports/latency", MD_REPORTS "GetLatency");
    Get("/v1/reports/breakdown", MD_REPORTS "GetBreakdown");
    Get("/v1/reports/modelUsage", MD_REPORTS "GetModelUsage");
    Get("/v1/reports/emergencies", MD_REPORTS "ListEmergencies").Hide({"actor"});
    Get("/v1/reports/unansweredQuestions", MD_REPORTS "ListUnansweredQuestions").Hide({"actor"});
    Get("/v1/reports/daily.csv", MD_REPORTS "ExportDailyReport").Answers(Answer::kTable).Hide({"actor"});
  }

  void Experiments() {
    tag_ = "Experiments";
    Get("/v1/experiments", MD_EXPERIMENTS "ListExperiments");
    Post("/v1/experiments", MD_EXPERIMENTS "CreateExperiment").Body("experiment").Hide({"actor"}).Success(201);
    Get("/v1/experiments/{experiment_id}", MD_EXPERIMENTS "GetExperiment");
    Get("/v1/experiments/{experiment_id}:report", MD_EXPERIMENTS "ReportExperiment");
    Post("/v1/experiments/{experiment_id}:start", MD_EXPERIMENTS "StartExperiment").Body("*").Hide({"actor"});
    Post("/v1/experiments/{experiment_id}:stop", MD_EXPERIMENTS "StopExperiment")
        .Desk(DeskRole::kAgent)
        .Body("*")
        .Hide({"actor"});
    Post("/v1/turns/{turn_id}:recordOutcome", MD_EXPERIMENTS "RecordOutcome").Desk(DeskRole::kAgent).Body("*");
  }

  void Numbers() {
    tag_ = "Numbers";
    Get("/v1/numbers", MD_GATEWAY "ListNumbers");
    // The operator's switches: they stand in the store, so no gateway need be there.
    Patch("/v1/numbers/{number.id}", MD_DEVICES "UpsertNumber")
        .Body("number")
        .Hide({"actor"})
        .IfMatch("number.etag")
        .Etag("number")
        .Mask("update_mask");
    Post("/v1/numbers:link", MD_GATEWAY "LinkNumber").Body("*").Answers(Answer::kMessages).Endless();
    Post("/v1/numbers/{number_id}:unlink", MD_GATEWAY "UnlinkNumber").Body("*");
    Post("/v1/linkAttempts/{attempt_id}:submitPasskey", MD_GATEWAY "SubmitPasskey").Body("*");
    Post("/v1/linkAttempts/{attempt_id}:confirmCode", MD_GATEWAY "ConfirmPasskeyCode").Body("*");
  }

  std::string_view tag_;
  std::deque<Row> rows_;
};

// Names a message of each file, so that the linker keeps the files and their descriptors.
bool ContractsAreLinked() {
  return store::v1::Conversation::descriptor() != nullptr && store::v1::Faq::descriptor() != nullptr &&
         store::v1::Patient::descriptor() != nullptr && store::v1::Task::descriptor() != nullptr &&
         store::v1::AuditRecord::descriptor() != nullptr && store::v1::Staff::descriptor() != nullptr &&
         store::v1::InboxRow::descriptor() != nullptr && store::v1::UpsertNumberRequest::descriptor() != nullptr &&
         store::v1::Experiment::descriptor() != nullptr && store::v1::Counts::descriptor() != nullptr &&
         gateway::v1::QrCode::descriptor() != nullptr && assistant::v1::InboundText::descriptor() != nullptr;
}

[[noreturn]] void Broken(const Route& route, const char* what) {
  std::fprintf(stderr, "the route table is wrong at %s %s: %s\n", std::string(route.method).c_str(),
               std::string(route.path).c_str(), what);
  std::abort();
}

// The segments without the ":verb" of the last one, which goes to `verb`.
std::vector<std::string_view> Segments(std::string_view path, std::string_view& verb) {
  verb = {};
  std::vector<std::string_view> segments;
  path.remove_prefix(1);
  while (true) {
    const std::size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  const std::string_view last = segments.back();
  if (const std::size_t colon = last.rfind(':'); colon != std::string_view::npos && colon + 1 < last.size()) {
    verb = last.substr(colon + 1);
    segments.back() = last.substr(0, colon);
  }
  return segments;
}

bool IsVariable(std::string_view segment) { return segment.starts_with('{'); }
std::string_view VariableOf(std::string_view segment) { return segment.substr(1, segment.size() - 2); }

void Check(Route& route) {
  route.call = DescriptorPool::generated_pool()->FindMethodByName(std::string(route.rpc));
  if (route.call == nullptr) Broken(route, "there is no such RPC");
  const Descriptor& input = *route.call->input_type();
  const Descriptor& output = *route.call->output_type();
  if ((route.answer == Answer::kMessage) == route.call->server_streaming()) Broken(route, "stream or not");
  std::string_view verb;
  for (const std::string_view segment : Segments(route.path, verb)) {
    if (IsVariable(segment) && FindField(input, VariableOf(segment)) == nullptr) Broken(route, "a variable");
  }
  for (const std::string_view field : route.hidden) {
    if (FindField(input, field) == nullptr) Broken(route, "a hidden field");
  }
  if (!route.body.empty() && route.body != "*" && FindField(input, route.body) == nullptr) Broken(route, "the body");
  if (!route.if_match.empty() && FindField(input, route.if_match) == nullptr) Broken(route, "If-Match");
  if (!route.mask.empty() && FindField(input, route.mask) == nullptr) Broken(route, "the mask");
  if (!route.etag.empty() && FindField(output, route.etag) == nullptr) Broken(route, "the ETag");
  if (!route.audit.empty() && FindField(output, route.audit) == nullptr && FindField(input, route.audit) == nullptr) {
    Broken(route, "the audit");
  }
  if (FindField(input, "actor") != nullptr &&
      std::find(route.hidden.begin(), route.hidden.end(), "actor") == route.hidden.end()) {
    Broken(route, "the actor is the caller's to choose");
  }
}

// The row of the same segments, each segment a literal or a variable of one value.
bool Matches(const Route& route, const std::vector<std::string_view>& segments, std::string_view verb,
             Captures& captures) {
  std::string_view route_verb;
  const std::vector<std::string_view> wanted = Segments(route.path, route_verb);
  if (route_verb != verb || wanted.size() != segments.size()) return false;
  captures.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!IsVariable(wanted[i])) {
      if (wanted[i] != segments[i]) return false;
      continue;
    }
    std::string value;
    if (segments[i].empty() || !PercentDecode(segments[i], /*form=*/false, value)) return false;
    captures.emplace_back(VariableOf(wanted[i]), std::move(value));
  }
  return true;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsText(std::string_view bytes) {
  if (bytes.find('\0') != std::string_view::npos) return false;
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(bytes.data());
  auto left = static_cast<utf8proc_ssize_t>(bytes.size());
  while (left > 0) {
    utf8proc_int32_t point = 0;
    const utf8proc_ssize_t size = utf8proc_iterate(at, left, &point);
    if (size <= 0) return false;
    at += size;
    left -= size;
  }
  return true;
}

}  // namespace

std::string_view ScopeName(Scope scope) {
  switch (scope) {
    case Scope::kReply:
      return "reply";
    case Scope::kScreen:
      return "screen";
    case Scope::kPreview:
      return "preview";
    case Scope::kSend:
      return "send";
    case Scope::kRead:
      return "read";
    case Scope::kAdmin:
      break;
  }
  return "admin";
}

std::span<const Route> Routes() {
  static const std::vector<Route>* const routes = [] {
    if (!ContractsAreLinked()) std::abort();
    auto* made = new std::vector<Route>(Table().Take());  // lives as long as the process
    for (Route& route : *made) Check(route);
    return made;
  }();
  return *routes;
}

RouteMatch FindRoute(std::string_view method, std::string_view path) {
  RouteMatch match;
  if (!path.starts_with('/')) return match;
  std::string_view verb;
  const std::vector<std::string_view> segments = Segments(path, verb);
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  Captures captures;
  for (const Route& route : Routes()) {
    if (!Matches(route, segments, verb, captures)) continue;
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += route.method;
    if (route.method == "GET") match.allow += ", HEAD";
    if (route.method == wanted) {
      match.route = &route;
      match.captures = captures;
    }
  }
  if (!match.allow.empty()) match.allow += ", OPTIONS";
  return match;
}

const FieldDescriptor* FindField(const Descriptor& message, std::string_view path) {
  const Descriptor* at = &message;
  const FieldDescriptor* field = nullptr;
  while (true) {
    if (at == nullptr) return nullptr;
    const std::size_t dot = path.find('.');
    field = at->FindFieldByName(std::string(path.substr(0, dot)));
    if (field == nullptr || dot == std::string_view::npos) return field;
    at = field->message_type();
    path.remove_prefix(dot + 1);
  }
}

bool PercentDecode(std::string_view text, bool form, std::string& out) {
  out.clear();
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (text.size() - i < 3) return false;
      const int high = HexDigit(text[i + 1]), low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += form && text[i] == '+' ? ' ' : text[i];
    }
  }
  return IsText(out);
}

}  // namespace medidesk::admin::rest
