#include "admin/clients/token_client.h"

#include "base/rpc/error_details.h"

namespace medidesk::admin {
namespace {

store::v1::TokenScope ScopeOf(rest::Scope scope) {
  switch (scope) {
    case rest::Scope::kReply:
      return store::v1::TOKEN_SCOPE_REPLY;
    case rest::Scope::kScreen:
      return store::v1::TOKEN_SCOPE_SCREEN;
    case rest::Scope::kPreview:
      return store::v1::TOKEN_SCOPE_PREVIEW;
    case rest::Scope::kSend:
      return store::v1::TOKEN_SCOPE_SEND;
    case rest::Scope::kRead:
      return store::v1::TOKEN_SCOPE_READ;
    case rest::Scope::kAdmin:
      break;
  }
  return store::v1::TOKEN_SCOPE_ADMIN;
}

}  // namespace

boost::asio::awaitable<absl::StatusOr<TokenClient::Checked>> TokenClient::Check(Phi<std::string> token,
                                                                                rest::Scope scope) {
  const absl::StatusOr<rpc::Principal> found = co_await tokens_.Check(std::move(token).Expose(), ScopeOf(scope));
  if (!found.ok()) co_return found.status();
  Checked checked{.principal = {.kind = store::v1::ACTOR_KIND_TOKEN, .id = found->id}};
  if (const absl::Status charged = tokens_.Charge(*found); !charged.ok()) {
    checked.limited = rpc::RetryDelay(charged).value_or(std::chrono::seconds(1));
  }
  co_return checked;
}

}  // namespace medidesk::admin
