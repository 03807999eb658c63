// medidesk.store.v1.AccessService: tokens and limits over the repository, staff and sessions over StaffAccounts.
// Thread-safe; must outlive its server.
#pragma once

#include "base/rpc/serve.h"
#include "medidesk/store/v1/access.grpc.pb.h"
#include "store/access_repository.h"
#include "store/staff_accounts.h"

namespace medidesk::store {

class AccessService final : public v1::AccessService::CallbackService {
 public:
  // Out of line, like the destructor: gRPC's machinery is compiled once, not wherever this header is read.
  AccessService(rpc::Dispatcher& dispatcher, AccessRepository& repository, StaffAccounts& staff);
  ~AccessService() override;

// A handler free of gRPC, for tests, and its override.
#define MD_HANDLER(Name)                                                                                             \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> Name(const rpc::Call& call, const v1::Name##Request& request); \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const v1::Name##Request* request,             \
                                 v1::Name##Response* response) override {                                            \
    return rpc::ServeUnary(context, dispatcher_, "AccessService/" #Name, response,                                   \
                           [this, request](const rpc::Call& call) { return Name(call, *request); });                 \
  }
  MD_HANDLER(CreateToken)
  MD_HANDLER(ListTokens)
  MD_HANDLER(RevokeToken)
  MD_HANDLER(CheckToken)
  MD_HANDLER(ListLimits)
  MD_HANDLER(SetLimit)
  MD_HANDLER(ConsumeLimit)
  MD_HANDLER(CreateStaff)
  MD_HANDLER(GetStaff)
  MD_HANDLER(ListStaff)
  MD_HANDLER(UpdateStaff)
  MD_HANDLER(InviteStaff)
  MD_HANDLER(SetPassword)
  MD_HANDLER(Login)
  MD_HANDLER(CheckSession)
  MD_HANDLER(Logout)
#undef MD_HANDLER

  // CheckToken without a call, for the store's own guard. `secret` is what was presented.
  asio::awaitable<absl::StatusOr<v1::CheckTokenResponse>> Check(std::string secret, DbPool::Clock::time_point deadline);

 private:
  rpc::Dispatcher& dispatcher_;
  AccessRepository& repository_;
  StaffAccounts& staff_;
};

}  // namespace medidesk::store
