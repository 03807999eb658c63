// Who this gateway is to the store: an id that a restart keeps, and a lock that proves that the run before is dead.
//
//   <folder>/gateway_id      made once: "gateway-" and 12 hex digits
//   <folder>/gateway.lock    held while the process lives; the kernel lets go of it, however the process ends
//
// With the lock the numbers of an earlier run under the same id are taken at once; without it after their lease.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace medidesk::gateway {

class GatewayIdentity {
 public:
  // `id` may be empty: the one under `folder` is used. `folder` may be empty: a fresh id without a lock. Where another
  // process holds the lock, a fresh id without one. INVALID_ARGUMENT for an id of another form than 1 to 64 letters,
  // digits and . _ -; FAILED_PRECONDITION for a folder that cannot be written.
  static absl::StatusOr<GatewayIdentity> Make(const std::string& id, const std::string& folder);

  GatewayIdentity(GatewayIdentity&& other) noexcept;
  GatewayIdentity& operator=(GatewayIdentity&&) = delete;
  ~GatewayIdentity();

  const std::string& gateway_id() const { return gateway_id_; }
  const std::string& instance_id() const { return instance_id_; }  // UUID, of this run
  bool lock_held() const { return lock_ >= 0; }

 private:
  GatewayIdentity() = default;

  std::string gateway_id_, instance_id_;
  int lock_ = -1;  // file descriptor
};

}  // namespace medidesk::gateway
