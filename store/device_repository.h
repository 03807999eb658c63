// Gateways, leases, numbers and sealed device state in PostgreSQL.
//
// Thread-safe. Arguments are checked by the caller. Errors are DbPool's, and those of the contract
// (device.proto) with their reasons: NO_HEARTBEAT, LEASE_HELD, LEASE_LOST, NUMBER_LINKED, NOT_FOUND, ...
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "medidesk/store/v1/device.pb.h"
#include "store/db_pool.h"

namespace medidesk::store {

class DeviceRepository {
 public:
  using Deadline = DbPool::Clock::time_point;
  using Numbers = std::shared_ptr<const std::vector<v1::Number>>;
  struct Options {
    std::chrono::milliseconds lease{15'000};         // after the last heartbeat
    std::chrono::milliseconds alone_lease{105'000};  // of an owner that was told `alone`
  };

  DeviceRepository(DbPool& pool, Options options) : pool_(pool), options_(options) {}

  asio::awaitable<absl::StatusOr<v1::HeartbeatResponse>> Heartbeat(const v1::HeartbeatRequest& request,
                                                                   Deadline deadline);
  asio::awaitable<absl::StatusOr<v1::AcquireNumbersResponse>> Acquire(const v1::AcquireNumbersRequest& request,
                                                                      Deadline deadline);
  asio::awaitable<absl::StatusOr<v1::TakeLeaseResponse>> Take(const v1::TakeLeaseRequest& request, Deadline deadline);
  // Whether the token was current.
  asio::awaitable<absl::StatusOr<bool>> Release(const v1::ReleaseLeaseRequest& request, Deadline deadline);

  // By name, those after `after_name`.
  asio::awaitable<absl::StatusOr<std::vector<v1::Number>>> List(const std::string& after_name, bool enabled_only,
                                                                int limit, Deadline deadline);
  // By id, or by name where `id` is empty.
  asio::awaitable<absl::StatusOr<v1::Number>> Get(const std::string& id, const std::string& name, Deadline deadline);
  asio::awaitable<absl::StatusOr<v1::Number>> Upsert(const v1::UpsertNumberRequest& request,
                                                     const std::string& trace_id, Deadline deadline);
  // All numbers as they were at most `age` ago: one reading serves every watcher.
  asio::awaitable<absl::StatusOr<Numbers>> All(std::chrono::milliseconds age, Deadline deadline);

  asio::awaitable<absl::StatusOr<v1::LoadDeviceStateResponse>> Load(const v1::LoadDeviceStateRequest& request,
                                                                    Deadline deadline);

 private:
  std::string LeaseSeconds() const;
  std::string AloneSeconds() const;
  std::vector<v1::Lease> ReadLeases(DbConnection& connection, const std::string& ids) const;

  DbPool& pool_;
  const Options options_;
  std::mutex mutex_;
  Numbers all_;                           // under mutex_
  DbPool::Clock::time_point all_time_{};  // under mutex_
};

}  // namespace medidesk::store
