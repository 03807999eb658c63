// The tokens of /v1, as the store knows them.
//
// Thread-safe.
#pragma once

#include "admin/api/rest/caller.h"
#include "base/rpc/token_check.h"

namespace medidesk::admin {

class TokenClient final : public rest::TokenChecker {
 public:
  explicit TokenClient(rpc::TokenCheck::Lookup lookup) : tokens_(std::move(lookup)) {}
  boost::asio::awaitable<absl::StatusOr<Checked>> Check(Phi<std::string> token, rest::Scope scope) override;

 private:
  rpc::TokenCheck tokens_;
};

}  // namespace medidesk::admin
