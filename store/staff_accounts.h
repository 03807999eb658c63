// Accounts, invitations and sessions of staff: the half of AccessService that is about people.
//
// Passwords are hashed on a thread of their own, at most kMaxHashes at a time or waiting: a flood of logins is refused
// and holds up nobody else. A wrong mail address costs what a wrong password costs, and reads the same.
//
// Thread-safe. Errors are those of the contract (protos/medidesk/store/v1/access.proto).
#pragma once

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <functional>
#include <string>

#include "base/rpc/call.h"
#include "medidesk/store/v1/access.pb.h"
#include "store/db_pool.h"

namespace medidesk::store {

class StaffAccounts {
 public:
  static constexpr int kMaxHashes = 32;

  explicit StaffAccounts(DbPool& pool) : pool_(pool) {}
  ~StaffAccounts() { hashing_.join(); }

#define MD_CALL(Name) \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> Name(const rpc::Call& call, const v1::Name##Request& request);
  MD_CALL(CreateStaff)
  MD_CALL(GetStaff)
  MD_CALL(ListStaff)
  MD_CALL(UpdateStaff)
  MD_CALL(InviteStaff)
  MD_CALL(SetPassword)
  MD_CALL(Login)
  MD_CALL(CheckSession)
  MD_CALL(Logout)
#undef MD_CALL

 private:
  // Runs `work` on the hashing thread. RESOURCE_EXHAUSTED when too many wait.
  asio::awaitable<absl::Status> Hash(std::function<void()> work);

  DbPool& pool_;
  std::atomic<int> hashes_{0};
  boost::asio::thread_pool hashing_{1};
};

}  // namespace medidesk::store
