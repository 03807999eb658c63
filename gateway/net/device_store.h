// Where the records of one number's device are kept. One for each number; the implementation seals and stores.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/wa/device_record.h"
#include "gateway/wa/session_action.h"

namespace medidesk::gateway::net {

struct DeviceCommit {
  std::string id;  // UUID; the same when a commit is tried again
  wa::RecordChanges changes;
  std::optional<wa::LinkedAccount> linked;  // present: the number's row learns it in the same transaction
};

// UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED and INTERNAL say that the outcome is not known: the driver asks
// again, with the same commit id, until it is. Every other error is definite: nothing was stored, and nothing will be.
// One call at a time, in the order of the session's wishes. No exceptions.
class DeviceStore {
 public:
  virtual ~DeviceStore() = default;

  // The records that exist, in any order.
  virtual boost::asio::awaitable<absl::StatusOr<std::vector<wa::Record>>> Load(
      const std::vector<wa::RecordName>& names) = 0;
  // All of it or nothing, durably: wipes, then deletes, then puts. An id that was stored already changes nothing: OK.
  virtual boost::asio::awaitable<absl::Status> Commit(const DeviceCommit& commit) = 0;
};

}  // namespace medidesk::gateway::net
