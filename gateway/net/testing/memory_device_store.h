// DeviceStore in memory.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gateway/net/device_store.h"

namespace medidesk::gateway::net::testing {

class MemoryDeviceStore final : public DeviceStore {
 public:
  boost::asio::awaitable<absl::StatusOr<std::vector<wa::Record>>> Load(
      const std::vector<wa::RecordName>& names) override {
    std::vector<wa::Record> found;
    for (const wa::RecordName& name : names) {
      const auto it = records.find({name.kind, name.key});
      if (it != records.end()) found.push_back({.name = name, .value = it->second});
    }
    co_return found;
  }

  boost::asio::awaitable<absl::Status> Commit(const DeviceCommit& commit) override {
    tried.push_back(commit.id);
    if (failures > 0) {
      --failures;
      co_return failure;
    }
    if (!ids.insert(commit.id).second) co_return absl::OkStatus();
    for (const wa::RecordKind kind : commit.changes.wipes) {
      std::erase_if(records, [kind](const auto& record) { return record.first.first == kind; });
    }
    for (const wa::RecordName& name : commit.changes.deletes) records.erase({name.kind, name.key});
    for (const wa::Record& put : commit.changes.puts) records[{put.name.kind, put.name.key}] = put.value;
    if (commit.linked) linked = commit.linked;
    co_return absl::OkStatus();
  }

  std::size_t Count(wa::RecordKind kind) const {
    std::size_t count = 0;
    for (const auto& [name, value] : records) count += name.first == kind ? 1 : 0;
    return count;
  }

  std::map<std::pair<wa::RecordKind, std::string>, wa::Bytes> records;
  std::optional<wa::LinkedAccount> linked;
  std::set<std::string> ids;       // of the commits that were stored
  std::vector<std::string> tried;  // ids of all calls
  int failures = 0;                // the next calls of Commit fail, with
  absl::Status failure = absl::UnavailableError("no store");
};

}  // namespace medidesk::gateway::net::testing
