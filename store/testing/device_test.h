// DeviceService over a real PostgreSQL, with leases that end only when a test says so; what its tests share.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/io_threads.h"
#include "base/uuid.h"
#include "store/conversation_repository.h"
#include "store/device_requests.h"
#include "store/service/device_service.h"
#include "store/testing/test_database.h"

namespace medidesk::store::testing {

class DeviceTest : public ::testing::Test {
 protected:
  // A gateway as the service sees one.
  struct Gateway {
    std::string id, instance = NewUuid(), address = "10.0.0.1:7001";
    bool alone_known = false;
    std::int64_t sequence = 0;
  };

  DeviceTest();  // a lease lives 60 s, an alone owner's 600 s

  template <class T>
  T Wait(asio::awaitable<T> work) {
    std::optional<T> result;
    RunToEnd(Keep(std::move(work), &result));
    return *std::move(result);
  }
  static rpc::Call NewCall();
  static DbPool::Clock::time_point Soon() { return DbPool::Clock::now() + std::chrono::seconds(30); }

  v1::HeartbeatResponse Beat(Gateway& gateway);
  absl::StatusOr<v1::Number> Upsert(const v1::UpsertNumberRequest& request);
  std::string MakeNumber(const std::string& name);
  absl::StatusOr<v1::Lease> Take(const Gateway& gateway, const std::string& number_id, bool lock_held = false);
  std::vector<v1::Lease> Acquire(const Gateway& gateway, int most = 10, bool lock_held = false);
  bool Release(const v1::Lease& lease);
  v1::Number GetNumber(const std::string& id);

  // A batch after the last one of this lease.
  static v1::CommitBatchRequest Batch(const v1::Lease& lease);
  static void Put(v1::CommitBatchRequest& batch, v1::DeviceStateKind kind, const std::string& key,
                  const std::string& sealed);
  absl::StatusOr<v1::CommitBatchResponse> TryCommit(const v1::CommitBatchRequest& request);
  // Commits and moves the lease's revision on.
  v1::CommitBatchResponse Commit(v1::Lease& lease, const v1::CommitBatchRequest& request);
  // Takes the number and reports it linked.
  v1::Lease Link(const Gateway& gateway, const std::string& number_id, const std::string& phone = "+15550109999");
  absl::StatusOr<v1::LoadDeviceStateResponse> TryLoad(const v1::LoadDeviceStateRequest& request);

  TestDatabase database_;
  prometheus::Registry registry_;
  StoreMetrics metrics_;
  IoThreads io_;
  DbPool pool_;
  DeviceRepository repository_;
  DeviceBatch batch_;
  rpc::Dispatcher dispatcher_;
  DeviceService service_;
  ConversationRepository conversations_;

 private:
  // One type for all: what spawns a coroutine is costly to compile.
  void RunToEnd(asio::awaitable<void> work);
  template <class T>
  static asio::awaitable<void> Keep(asio::awaitable<T> work, std::optional<T>* result) {
    result->emplace(co_await std::move(work));
  }
};

}  // namespace medidesk::store::testing
