#include "base/rpc/call_guard.h"

#include <array>

#include "base/rpc/error_details.h"
#include "base/rpc/method_scopes.h"

namespace medidesk::rpc {
namespace {

constexpr std::array<std::string_view, 5> kServices = {"gateway", "assistant", "store", "admin", "cli"};

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

std::string_view ServiceOfNames(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    std::string_view label(name);
    label = label.substr(0, label.find('.'));
    for (const std::string_view service : kServices) {
      if (!EndsWith(label, service)) continue;
      const std::string_view before = label.substr(0, label.size() - service.size());
      if (before.empty() || before == "medidesk-" || EndsWith(before, "-medidesk-")) return service;
    }
  }
  return {};
}

bool CallGuard::AllowsAtOnce(const Call& call) const {
  if (!call.authorization.Expose().empty()) return false;
  return call.caller.kind == Caller::Kind::kLocal ||
         (call.caller.kind == Caller::Kind::kUnknown && options_.trust_network);
}

boost::asio::awaitable<absl::Status> CallGuard::Authorize(Call* call, std::string_view method) const {
  if (AllowsAtOnce(*call)) co_return absl::OkStatus();
  if (!call->authorization.Expose().empty()) {
    if (tokens_ == nullptr) co_return BadToken();
    MD_ASSIGN_OR_CO_RETURN(std::string secret, BearerSecret(call->authorization.Expose()));
    MD_ASSIGN_OR_CO_RETURN(call->principal, co_await tokens_->Check(std::move(secret), ScopeOfMethod(method)));
    co_return tokens_->Charge(call->principal);
  }
  if (call->caller.kind == Caller::Kind::kCertificate) {
    const std::string_view service = ServiceOfNames(call->caller.names);
    if (service.empty()) {
      co_return WithReason(
          Error(absl::StatusCode::kPermissionDenied, "the certificate names none of MediDesk's services"),
          "CERTIFICATE_NAME");
    }
    call->principal.kind = Principal::Kind::kService;
    call->principal.id = std::string(service);
    co_return absl::OkStatus();
  }
  co_return WithReason(Error(absl::StatusCode::kUnauthenticated,
                             "send `authorization: Bearer <token>`; `./medidesk token create` makes one"),
                       "TOKEN_MISSING");
}

}  // namespace medidesk::rpc
