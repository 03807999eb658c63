// CommitBatch: everything an owner writes, in one transaction.
//
// Thread-safe. The request was checked (device_requests.h). Errors are DbPool's and the contract's:
// FAILED_PRECONDITION with LEASE_LOST, REVISION_MISMATCH or PHONE_IN_USE; after them nothing was changed.
#pragma once

#include <string>

#include "medidesk/store/v1/device.pb.h"
#include "store/db_pool.h"

namespace medidesk::store {

class DeviceBatch {
 public:
  explicit DeviceBatch(DbPool& pool) : pool_(pool) {}

  asio::awaitable<absl::StatusOr<v1::CommitBatchResponse>> Commit(const v1::CommitBatchRequest& request,
                                                                  const std::string& trace_id,
                                                                  DbPool::Clock::time_point deadline);

 private:
  DbPool& pool_;
};

}  // namespace medidesk::store
