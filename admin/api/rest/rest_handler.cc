#include "admin/api/rest/rest_handler.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "admin/api/rest/etag.h"
#include "admin/api/rest/rest_error.h"
#include "admin/api/rest/stream_answer.h"
#include "admin/api/rest/transcoder.h"
#include "base/log.h"
#include "base/phone_number.h"
#include "base/rpc/error_details.h"
#include "base/uuid.h"
#include "medidesk/assistant/v1/assistant.pb.h"
#include "medidesk/store/v1/audit.pb.h"
#include "medidesk/store/v1/conversation.pb.h"
#include "medidesk/store/v1/task.pb.h"

namespace medidesk::admin::rest {

namespace asio = boost::asio;
using absl::StatusCode;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

namespace {

constexpr std::string_view kPrefix = "/v1";
constexpr std::size_t kLongJson = 32u << 10;  // bytes: from here on the event loop does not do it
constexpr Cors::Policy kPolicy{
    .methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    .headers = "authorization, content-type, if-match, if-none-match, idempotency-key, traceparent, tracestate",
    .exposed = "etag, retry-after, x-request-id"};

bool IsOurs(std::string_view path) { return path == kPrefix || path.starts_with("/v1/"); }

bool IsJson(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  constexpr std::string_view kJson = "application/json";
  return std::equal(type.begin(), type.end(), kJson.begin(), kJson.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

TraceContext TraceOf(const http::Request& request) {
  std::optional<TraceContext> sent = TraceContext::Parse(request.Find("traceparent"));
  return sent ? *std::move(sent) : TraceContext::New();
}

bool MayCall(store::v1::StaffRole role, DeskRole needed) {
  switch (needed) {
    case DeskRole::kViewer:
      return role != store::v1::STAFF_ROLE_UNSPECIFIED;
    case DeskRole::kAgent:
      return role == store::v1::STAFF_ROLE_AGENT || role == store::v1::STAFF_ROLE_ADMIN;
    case DeskRole::kAdmin:
      return role == store::v1::STAFF_ROLE_ADMIN;
    case DeskRole::kNobody:
      break;
  }
  return false;
}

// Who acts is the one who is logged in, whatever the request says. Whom a conversation is assigned to is free.
absl::Status ActAsStaff(const Principal& principal, Message& message) {
  if (auto* take = dynamic_cast<store::v1::TakeOverRequest*>(&message)) take->set_staff_id(principal.id);
  if (auto* back = dynamic_cast<store::v1::HandBackRequest*>(&message)) back->set_staff_id(principal.id);
  if (auto* claim = dynamic_cast<store::v1::ClaimTaskRequest*>(&message)) {
    if (claim->assignee_id().empty()) claim->set_assignee_id(principal.id);
    if (claim->assignee_id() != principal.id && principal.role != store::v1::STAFF_ROLE_ADMIN) {
      return Error(StatusCode::kPermissionDenied, "only an admin gives a task to another person");
    }
  }
  return absl::OkStatus();
}

bool IsReply(const Route& route) { return route.scope == Scope::kReply; }

// The sender of a reply's text; empty when there is none.
std::string PhoneOf(const Message& request) {
  if (const auto* reply = dynamic_cast<const assistant::v1::ReplyRequest*>(&request)) return reply->inbound().phone();
  if (const auto* reply = dynamic_cast<const assistant::v1::StreamReplyRequest*>(&request)) {
    return reply->inbound().phone();
  }
  return {};
}

// Why a credential does not do.
http::Response Refused(const http::Request& request, const Route& route, const absl::Status& status) {
  const StatusCode code = status.code();
  if (code != StatusCode::kUnauthenticated && code != StatusCode::kPermissionDenied) return ErrorOf(request, status);
  const bool known = code == StatusCode::kPermissionDenied;
  http::Response answer = ErrorAs(known ? 403 : 401, status);
  const std::string scope(ScopeName(route.scope));
  answer.Add("www-authenticate",
             known ? "Bearer error=\"insufficient_scope\", scope=\"" + scope + '"' : std::string("Bearer"));
  return answer;
}

// As ErrorOf; what it logs names the request's trace.
http::Response Failed(const http::Request& request, const TraceContext& trace, const absl::Status& status) {
  const log::TraceScope scope(std::make_shared<const std::string>(trace.trace_id));
  return ErrorOf(request, status);
}

const MethodDescriptor& AppendReadEvent() {
  static const MethodDescriptor* const method = store::v1::AppendReadEventRequest::descriptor()
                                                    ->file()
                                                    ->FindServiceByName("AuditService")
                                                    ->FindMethodByName("AppendReadEvent");
  return *method;
}

}  // namespace

struct RestHandler::Job {
  http::Request& request;
  const Route& route;
  Captures captures;
  Principal principal = {};
  store::v1::Actor actor = {};
  TraceContext trace = {};
  IfMatch if_match = {};
  MessagePtr message = nullptr;
};

RestHandler::RestHandler(RpcBackend& backend, TokenChecker& tokens, Options options)
    : backend_(backend),
      tokens_(tokens),
      options_(std::move(options)),
      cors_(options_.allowed_origins, kPolicy),
      per_address_(options_.per_address),
      per_token_(options_.per_token),
      per_phone_(options_.per_phone) {
  Routes();  // a wrong table ends the process now, not at the first request
}

RestHandler::~RestHandler() { long_work_.join(); }

void RestHandler::AddRoutes(http::Router& router) {
  const http::Handler handle = [this](http::Request& request) { return Handle(request); };
  router.Add("*", "/v1", handle);
  router.Add("*", "/v1/*", handle);
}

void RestHandler::Decorate(const http::Request& request, http::Response& response) const {
  if (!IsOurs(request.path())) return;
  Reshape(response);
  if (!options_.allowed_origins.empty()) cors_.Decorate(request, response);
  response.Add("x-content-type-options", "nosniff");
}

asio::awaitable<http::Response> RestHandler::Handle(http::Request& request) {
  if (auto refused = LimitAddress(request)) co_return *std::move(refused);
  RouteMatch match = FindRoute(request.method, request.path());
  if (match.allow.empty()) co_return ErrorAs(404, Error(StatusCode::kNotFound, "There is nothing at this path."));
  if (request.method == "OPTIONS") {
    http::Response answer = options_.allowed_origins.empty() ? http::Response{.status = 204} : cors_.Preflight();
    answer.Add("allow", match.allow);
    co_return answer;
  }
  if (match.route == nullptr) {
    http::Response answer =
        ErrorAs(405, Error(StatusCode::kUnimplemented, "This path does not take that method; see the header allow."));
    answer.Add("allow", match.allow);
    co_return answer;
  }

  Job job{.request = request, .route = *match.route, .captures = std::move(match.captures)};
  absl::StatusOr<TokenChecker::Checked> checked = co_await Authenticate(request, job.route);
  if (!checked.ok()) co_return Refused(request, job.route, checked.status());
  job.principal = std::move(checked->principal);
  if (checked->limited) {
    if (metrics_ != nullptr) metrics_->OnRejected(AdminMetrics::Limit::kCredential);
    co_return TooManyRequests(*checked->limited);
  }
  if (!job.principal.id.empty()) {
    if (auto refused = Limit(per_token_, job.principal.id, AdminMetrics::Limit::kCredential)) {
      co_return *std::move(refused);
    }
  }
  job.trace = TraceOf(request);
  if (auto refused = CheckHead(job)) co_return *std::move(refused);

  absl::StatusOr<MessagePtr> message = co_await ReadRequest(job);
  if (!message.ok()) co_return ErrorOf(request, message.status());
  job.message = *std::move(message);
  std::string().swap(request.body);  // not needed while the answer is made
  if (auto refused = FillIn(job)) co_return *std::move(refused);
  if (job.route.answer != Answer::kMessage) co_return co_await AnswerStream(job);
  co_return co_await Answer(job);
}

asio::awaitable<absl::StatusOr<TokenChecker::Checked>> RestHandler::Authenticate(const http::Request& request,
                                                                                 const Route& route) {
  const std::string_view authorization = request.Find("authorization");
  if (authorization.empty()) {
    if (sessions_ != nullptr && sessions_->IsPresented(request)) {
      const bool changes = request.method != "GET" && request.method != "HEAD";
      absl::StatusOr<Principal> staff = co_await sessions_->Check(request, changes);
      if (!staff.ok()) co_return staff.status();
      if (!MayCall(staff->role, route.desk)) {
        co_return rpc::WithReason(Error(StatusCode::kPermissionDenied, "your role does not allow this"), "ROLE");
      }
      TokenChecker::Checked checked;
      checked.principal = *std::move(staff);
      co_return checked;
    }
    if (options_.open_on_loopback && MayGoWithoutToken(request)) co_return TokenChecker::Checked{};
    co_return Error(StatusCode::kUnauthenticated, "Send a token: Authorization: Bearer <token>.");
  }
  const std::string_view token = BearerToken(authorization);
  if (token.empty()) {
    co_return Error(StatusCode::kUnauthenticated, "Expected Authorization: Bearer <token>.");
  }
  Phi<std::string> secret{std::string(token)};
  co_return co_await tokens_.Check(std::move(secret), route.scope);
}

std::optional<http::Response> RestHandler::LimitAddress(const http::Request& request) {
  if (!per_address_.limits() || request.from_loopback()) return std::nullopt;
  auto refused = Limit(per_address_, AddressKey(request.peer), AdminMetrics::Limit::kAddress);
  if (refused) refused->pause = kRefusedAddressPause;
  return refused;
}

std::optional<http::Response> RestHandler::Limit(RateLimiter& limiter, std::string_view key,
                                                 AdminMetrics::Limit which) {
  const RateLimiter::Decision decision = limiter.Take(key, options_.now());
  if (decision.allowed) return std::nullopt;
  if (metrics_ != nullptr) metrics_->OnRejected(which);
  return TooManyRequests(decision.retry_after);
}

std::optional<http::Response> RestHandler::CheckHead(const Job& job) const {
  // A form or text/plain is what a foreign web page could send without asking.
  if (!job.request.body.empty() && !IsJson(job.request.Find("content-type"))) {
    return ErrorAs(415, rpc::InvalidField("content-type", "expected application/json"));
  }
  return std::nullopt;
}

asio::awaitable<absl::StatusOr<MessagePtr>> RestHandler::ReadRequest(const Job& job) {
  const auto read = [&job] {
    return rest::ReadRequest(job.route, job.captures, job.request.query(), job.request.body);
  };
  if (job.request.body.size() < kLongJson) co_return read();
  const auto elsewhere = [&read]() -> asio::awaitable<absl::StatusOr<MessagePtr>> { co_return read(); };
  asio::awaitable<absl::StatusOr<MessagePtr>> running = elsewhere();
  co_return co_await asio::co_spawn(long_work_.get_executor(), std::move(running), asio::use_awaitable);
}

asio::awaitable<absl::StatusOr<std::string>> RestHandler::WriteJson(const Message& message) {
  if (message.ByteSizeLong() < kLongJson) co_return rest::WriteJson(message);
  const auto elsewhere = [&message]() -> asio::awaitable<absl::StatusOr<std::string>> {
    co_return rest::WriteJson(message);
  };
  asio::awaitable<absl::StatusOr<std::string>> running = elsewhere();
  co_return co_await asio::co_spawn(long_work_.get_executor(), std::move(running), asio::use_awaitable);
}

std::optional<http::Response> RestHandler::FillIn(Job& job) {
  Message& message = *job.message;
  const auto& reflection = *message.GetReflection();
  job.actor.set_kind(job.principal.kind);
  job.actor.set_id(job.principal.id);
  job.actor.set_address(AddressText(job.request.peer));
  if (const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName("actor")) {
    reflection.MutableMessage(&message, field)->CopyFrom(job.actor);
  }
  if (const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName("commit_id");
      field != nullptr && reflection.GetString(message, field).empty()) {
    const std::string_view key = job.request.Find("idempotency-key");
    if (!key.empty() && !IsUuid(key)) {
      return ErrorAs(400, rpc::InvalidField("idempotency-key", "expected a UUID"));
    }
    reflection.SetString(&message, field, key.empty() ? NewUuid() : std::string(key));
  }
  if (auto* outbound = dynamic_cast<store::v1::QueueOutboundRequest*>(&message)) {
    outbound->set_origin(store::v1::REPLY_ORIGIN_SERVICE);
  }

  if (job.principal.kind == store::v1::ACTOR_KIND_STAFF) {
    if (const absl::Status refused = ActAsStaff(job.principal, message); !refused.ok()) return ErrorAs(403, refused);
  }

  job.if_match = ReadIfMatch(job.request.Find("if-match"));
  if (job.if_match.kind == IfMatch::Kind::kMalformed) {
    return ErrorAs(400, rpc::InvalidField("if-match", "expected one strong entity tag in quotes, or *"));
  }
  if (job.if_match.kind == IfMatch::Kind::kOne) {
    if (job.route.if_match.empty()) {
      return ErrorAs(400, rpc::InvalidField("if-match", "this operation compares no version; leave it out"));
    }
    if (!SetVersion(message, job.route.if_match, job.if_match.tag)) {
      return ErrorAs(412, Error(StatusCode::kAborted, "no row can have this version; read it again, then decide"));
    }
  }

  if (IsReply(job.route) && per_phone_.limits()) {
    // One that is no number is refused further on, with a text of its own.
    if (const auto phone = PhoneNumber::Parse(PhoneOf(message)); phone.has_value()) {
      if (auto refused = Limit(per_phone_, phone->E164(), AdminMetrics::Limit::kPhone)) return refused;
    }
  }
  return std::nullopt;
}

CallContext RestHandler::ContextOf(const Job& job) const {
  CallContext context{.timeout = options_.call_budget, .trace = job.trace};
  if (IsReply(job.route)) context.timeout = options_.reply_budget;
  if (job.route.answer == Answer::kDocument || job.route.answer == Answer::kTable) {
    context.timeout = options_.document_budget;
  }
  if (job.route.rpc == "medidesk.store.v1.AuditService.VerifyAudit") context.timeout = options_.document_budget;
  if (job.route.endless) context.timeout = options_.endless_budget;
  return context;
}

asio::awaitable<http::Response> RestHandler::Answer(Job& job) {
  const std::vector<std::string> asked = Collect(*job.message, job.route.audit);
  CallContext context = ContextOf(job);
  MessagePtr message = job.route.audit.empty() ? std::move(job.message) : MessagePtr(job.message->New());
  if (!job.route.audit.empty()) message->CopyFrom(*job.message);
  absl::StatusOr<MessagePtr> response = co_await backend_.Call(*job.route.call, std::move(message), std::move(context));
  if (!response.ok()) {
    // A version that is not the current one any more; without If-Match it is a conflict like others.
    if (response.status().code() == StatusCode::kAborted && job.if_match.kind == IfMatch::Kind::kOne) {
      co_return ErrorAs(412, response.status());
    }
    co_return Failed(job.request, job.trace, response.status());
  }
  if (!job.route.audit.empty()) {
    const absl::Status recorded = co_await RecordRead(job, response->get());
    if (!recorded.ok()) co_return Failed(job.request, job.trace, recorded);
  }
  const std::string etag = job.route.etag.empty() ? std::string() : EtagOf(**response, job.route.etag);
  if (job.route.method == "GET" && NoneMatchHolds(job.request.Find("if-none-match"), etag)) {
    http::Response unchanged{.status = 304};
    unchanged.Add("etag", etag);
    co_return unchanged;
  }
  absl::StatusOr<std::string> body = co_await WriteJson(**response);
  if (!body.ok()) co_return Failed(job.request, job.trace, body.status());
  http::Response answer = http::JsonResponse(job.route.success, *std::move(body));
  if (!etag.empty()) answer.Add("etag", etag);
  answer.Add("cache-control", "no-store");
  co_return answer;
}

asio::awaitable<absl::Status> RestHandler::RecordRead(const Job& job, const Message* response) {
  std::vector<std::string> ids;
  if (response != nullptr && FindField(*response->GetDescriptor(), job.route.audit) != nullptr) {
    ids = Collect(*response, job.route.audit);
  } else {
    ids = Collect(*job.message, job.route.audit);
  }
  if (ids.empty()) co_return absl::OkStatus();  // nothing was shown
  auto event = std::make_unique<store::v1::AppendReadEventRequest>();
  event->set_commit_id(NewUuid());
  *event->mutable_actor() = job.actor;
  event->set_resource(store::v1::RESOURCE_KIND_CONVERSATION);
  for (std::string& id : ids) event->add_resource_ids(std::move(id));
  event->set_purpose(job.principal.kind == store::v1::ACTOR_KIND_STAFF ? "desk" : "rest");
  CallContext context{.timeout = options_.call_budget, .trace = job.trace};
  const absl::StatusOr<MessagePtr> recorded =
      co_await backend_.Call(AppendReadEvent(), std::move(event), std::move(context));
  co_return recorded.status();
}

asio::awaitable<http::Response> RestHandler::AnswerStream(Job& job) {
  std::unique_ptr<MessageStream> stream = backend_.Stream(*job.route.call, std::move(job.message), ContextOf(job));
  // The first message decides on the code; nothing has been sent before it.
  absl::StatusOr<MessagePtr> first = co_await stream->Next();
  if (!first.ok()) co_return Failed(job.request, job.trace, first.status());
  if (job.route.answer == Answer::kTable) co_return TableAnswer(std::move(stream), *std::move(first));
  co_return job.route.answer == Answer::kDocument
      ? DocumentAnswer(std::move(stream), *std::move(first))
      : MessagesAnswer(std::move(stream), *std::move(first), job.request.Find("accept"));
}

}  // namespace medidesk::admin::rest
