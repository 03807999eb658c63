#include "gateway/service/gateway_service.h"

#include <algorithm>
#include <utility>

#include "base/phone_number.h"
#include "base/rpc/error_details.h"
#include "base/uuid.h"
#include "gateway/service/link_response.h"

namespace medidesk::gateway {
namespace {

constexpr std::chrono::seconds kStoreLimit{5};  // for one call
constexpr std::size_t kMaxAssertion = 16u << 10;

bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// An UNAVAILABLE of ours says whose fault it is: the gateway itself has answered.
absl::Status FromStore(absl::Status status) {
  if (status.ok() || !absl::IsUnavailable(status) || !rpc::Reason(status).empty()) return status;
  return rpc::WithReason(std::move(status), "STORE_UNAVAILABLE");
}

store::v1::Actor ActorOf(const rpc::Call& call) {
  store::v1::Actor actor;
  switch (call.principal.kind) {
    case rpc::Principal::Kind::kToken:
      actor.set_kind(store::v1::ACTOR_KIND_TOKEN);
      actor.set_id(call.principal.id);
      break;
    case rpc::Principal::Kind::kService:
      actor.set_kind(store::v1::ACTOR_KIND_SERVICE);
      actor.set_id(call.principal.id);
      break;
    case rpc::Principal::Kind::kLocal:
      actor.set_kind(store::v1::ACTOR_KIND_OPERATOR);
      break;
  }
  return actor;
}

// The stream is gone: whoever read it need not be waited for.
class LeaveAtEnd {
 public:
  LeaveAtEnd(std::shared_ptr<NumberFleet> fleet, std::shared_ptr<LinkAttempt> attempt)
      : fleet_(std::move(fleet)), attempt_(std::move(attempt)) {}
  LeaveAtEnd(const LeaveAtEnd&) = delete;
  LeaveAtEnd& operator=(const LeaveAtEnd&) = delete;
  ~LeaveAtEnd() { fleet_->Leave(attempt_); }

 private:
  const std::shared_ptr<NumberFleet> fleet_;
  const std::shared_ptr<LinkAttempt> attempt_;
};

}  // namespace

// ---- Numbers ------------------------------------------------------------------------------------

asio::awaitable<absl::StatusOr<store::v1::Number>> GatewayService::Find(const rpc::Call& call, std::string number_id,
                                                                        std::string name) {
  store::v1::GetNumberRequest request;
  if (!number_id.empty()) {
    request.set_number_id(std::move(number_id));
  } else {
    request.set_name(std::move(name));
  }
  const rpc::CallOptions options = rpc::Continue(call, kStoreLimit);
  auto found = co_await store_.Call(MD_METHOD(GetNumber), std::move(request), options);
  if (!found.ok()) co_return FromStore(found.status());
  co_return std::move(*found->mutable_number());
}

asio::awaitable<absl::StatusOr<v1::ListNumbersResponse>> GatewayService::ListNumbers(
    const rpc::Call& call, const v1::ListNumbersRequest& request) {
  store::v1::ListNumbersRequest list;
  list.set_page_size(request.page_size());
  list.set_page_token(request.page_token());
  const rpc::CallOptions options = rpc::Continue(call, kStoreLimit);
  auto listed = co_await store_.Call(MD_METHOD(ListNumbers), std::move(list), options);
  if (!listed.ok()) co_return FromStore(listed.status());
  v1::ListNumbersResponse response;
  response.mutable_numbers()->Swap(listed->mutable_numbers());
  response.set_next_page_token(listed->next_page_token());
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::GetNumberResponse>> GatewayService::GetNumber(const rpc::Call& call,
                                                                                 const v1::GetNumberRequest& request) {
  if (request.key_case() == v1::GetNumberRequest::KEY_NOT_SET) {
    co_return rpc::InvalidField("key", "expected number_id or name");
  }
  if (request.has_number_id() && !IsUuid(request.number_id())) {
    co_return rpc::InvalidField("number_id", "expected a UUID");
  }
  if (request.has_name() && !IsName(request.name())) {
    co_return rpc::InvalidField("name", "expected 1 to 32 of a-z, 0-9 and -");
  }
  MD_ASSIGN_OR_CO_RETURN(store::v1::Number number, co_await Find(call, request.number_id(), request.name()));
  v1::GetNumberResponse response;
  *response.mutable_number() = std::move(number);
  co_return response;
}

asio::awaitable<absl::Status> GatewayService::WatchNumbers(const rpc::Call& call,
                                                           const v1::WatchNumbersRequest& request,
                                                           rpc::StreamWriter<v1::WatchNumbersResponse>& writer) {
  store::v1::WatchNumbersRequest watch;
  *watch.mutable_number_ids() = request.number_ids();
  rpc::CallOptions options;
  options.deadline = call.deadline;
  options.trace = call.trace;
  auto changes = store_.Stream(MD_METHOD(WatchNumbers), watch, options);
  for (;;) {
    auto next = co_await changes.Next();
    if (!next.ok()) co_return FromStore(next.status());
    if (!*next)
      co_return rpc::WithReason(Error(absl::StatusCode::kUnavailable, "the store stops"), "STORE_UNAVAILABLE");
    v1::WatchNumbersResponse response;
    if ((*next)->has_number()) response.mutable_number()->Swap((*next)->mutable_number());
    response.set_snapshot_done((*next)->snapshot_done());
    if (!co_await writer.Write(std::move(response))) co_return absl::OkStatus();
  }
}

// ---- Linking ------------------------------------------------------------------------------------

asio::awaitable<absl::StatusOr<store::v1::Number>> GatewayService::FindOrMake(const rpc::Call& call,
                                                                              const v1::LinkNumberRequest& request) {
  auto found = co_await Find(call, request.number_id(), request.name());
  if (found.ok() || !absl::IsNotFound(found.status()) || request.has_number_id()) co_return found;
  store::v1::UpsertNumberRequest make;
  make.set_commit_id(NewUuid());
  make.mutable_number()->set_name(request.name());
  *make.mutable_actor() = ActorOf(call);
  const rpc::CallOptions options = rpc::Continue(call, kStoreLimit);
  auto made = co_await store_.Call(MD_METHOD(UpsertNumber), std::move(make), options);
  if (!made.ok()) co_return FromStore(made.status());
  co_return std::move(*made->mutable_number());
}

asio::awaitable<absl::Status> GatewayService::LinkNumber(const rpc::Call& call, const v1::LinkNumberRequest& request,
                                                         rpc::StreamWriter<v1::LinkNumberResponse>& writer) {
  if (request.target_case() == v1::LinkNumberRequest::TARGET_NOT_SET) {
    co_return rpc::InvalidField("target", "expected number_id or name");
  }
  if (request.has_number_id() && !IsUuid(request.number_id())) {
    co_return rpc::InvalidField("number_id", "expected a UUID");
  }
  if (request.has_name() && !IsName(request.name())) {
    co_return rpc::InvalidField("name", "expected 1 to 32 of a-z, 0-9 and -");
  }
  if (!v1::LinkMethod_IsValid(request.method())) co_return rpc::InvalidField("method", "expected QR or PHONE_CODE");
  wa::LinkOptions link{.phone = {},
                       .by_code = request.method() == v1::LINK_METHOD_PHONE_CODE,
                       .require_code_match = request.require_code_match()};
  if (!request.phone().empty()) {
    const auto phone = PhoneNumber::Parse(request.phone());
    if (!phone || phone->E164() != request.phone()) co_return rpc::InvalidField("phone", "expected E.164 with +");
    link.phone = phone->E164().substr(1);
  } else if (link.by_code) {
    co_return rpc::InvalidField("phone", "needed to link by code");
  }
  if (!fleet_) co_return no_fleet_;
  MD_ASSIGN_OR_CO_RETURN(const store::v1::Number number, co_await FindOrMake(call, request));
  MD_ASSIGN_OR_CO_RETURN(const std::shared_ptr<LinkAttempt> attempt, co_await fleet_->Link(number, std::move(link)));
  const LeaveAtEnd leave(fleet_, attempt);
  for (;;) {
    const wa::Event event = co_await attempt->Next();
    auto response = ToLinkResponse(event);
    if (!response) continue;
    response->set_attempt_id(attempt->id());
    response->set_number_id(number.id());
    if (response->has_linked()) {
      // The link stands, whether its row can be read just now or not.
      auto now = co_await Find(call, number.id(), "");
      *response->mutable_linked()->mutable_number() = now.ok() ? *std::move(now) : number;
    }
    const bool last = response->has_linked() || response->has_failed();
    if (!co_await writer.Write(*std::move(response)) || last) co_return absl::OkStatus();
  }
}

asio::awaitable<absl::StatusOr<v1::SubmitPasskeyResponse>> GatewayService::SubmitPasskey(
    const rpc::Call&, const v1::SubmitPasskeyRequest& request) {
  if (!IsUuid(request.attempt_id())) co_return rpc::InvalidField("attempt_id", "expected a UUID");
  if (request.assertion_json().size() > kMaxAssertion) co_return rpc::InvalidField("assertion_json", "at most 16 KiB");
  if (!fleet_) co_return no_fleet_;
  MD_CO_RETURN_IF_ERROR(co_await fleet_->SubmitPasskey(request.attempt_id(), request.assertion_json()));
  co_return v1::SubmitPasskeyResponse();
}

asio::awaitable<absl::StatusOr<v1::ConfirmPasskeyCodeResponse>> GatewayService::ConfirmPasskeyCode(
    const rpc::Call&, const v1::ConfirmPasskeyCodeRequest& request) {
  if (!IsUuid(request.attempt_id())) co_return rpc::InvalidField("attempt_id", "expected a UUID");
  if (!fleet_) co_return no_fleet_;
  MD_CO_RETURN_IF_ERROR(co_await fleet_->ConfirmPasskeyCode(request.attempt_id(), request.matches()));
  co_return v1::ConfirmPasskeyCodeResponse();
}

asio::awaitable<absl::StatusOr<v1::UnlinkNumberResponse>> GatewayService::UnlinkNumber(
    const rpc::Call& call, const v1::UnlinkNumberRequest& request) {
  if (!IsUuid(request.number_id())) co_return rpc::InvalidField("number_id", "expected a UUID");
  if (!fleet_) co_return no_fleet_;
  MD_ASSIGN_OR_CO_RETURN(const store::v1::Number number, co_await Find(call, request.number_id(), ""));
  MD_ASSIGN_OR_CO_RETURN(const bool confirmed, co_await fleet_->Unlink(number, request.force()));
  MD_ASSIGN_OR_CO_RETURN(store::v1::Number now, co_await Find(call, request.number_id(), ""));
  v1::UnlinkNumberResponse response;
  *response.mutable_number() = std::move(now);
  response.set_confirmed(confirmed);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::SendMessageResponse>> GatewayService::SendMessage(
    const rpc::Call& call, const v1::SendMessageRequest& request) {
  co_return co_await send_.Run(call, request);
}

// ---- Overrides ----------------------------------------------------------------------------------

#define MD_OVERRIDE(Name)                                                                                          \
  grpc::ServerUnaryReactor* GatewayService::Name(grpc::CallbackServerContext* context,                             \
                                                 const v1::Name##Request* request, v1::Name##Response* response) { \
    return rpc::ServeUnary(context, dispatcher_, "GatewayService/" #Name, response,                                \
                           [this, request](const rpc::Call& call) { return Name(call, *request); });               \
  }
MD_OVERRIDE(SubmitPasskey)
MD_OVERRIDE(ConfirmPasskeyCode)
MD_OVERRIDE(UnlinkNumber)
MD_OVERRIDE(ListNumbers)
MD_OVERRIDE(GetNumber)
MD_OVERRIDE(SendMessage)
#undef MD_OVERRIDE

grpc::ServerWriteReactor<v1::LinkNumberResponse>* GatewayService::LinkNumber(grpc::CallbackServerContext* context,
                                                                             const v1::LinkNumberRequest* request) {
  return rpc::ServeStream<v1::LinkNumberResponse>(
      context, dispatcher_, "GatewayService/LinkNumber",
      [this, request](const rpc::Call& call, rpc::StreamWriter<v1::LinkNumberResponse>& writer) {
        return LinkNumber(call, *request, writer);
      });
}

grpc::ServerWriteReactor<v1::WatchNumbersResponse>* GatewayService::WatchNumbers(
    grpc::CallbackServerContext* context, const v1::WatchNumbersRequest* request) {
  return rpc::ServeStream<v1::WatchNumbersResponse>(
      context, dispatcher_, "GatewayService/WatchNumbers",
      [this, request](const rpc::Call& call, rpc::StreamWriter<v1::WatchNumbersResponse>& writer) {
        return WatchNumbers(call, *request, writer);
      },
      rpc::CallKind::kEndlessStream);
}

}  // namespace medidesk::gateway
