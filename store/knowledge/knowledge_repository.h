// The facts as coroutines over the pool, with the current ones kept in memory: a read costs one look at the
// revision, and the rows are fetched only when it has moved.
//
// Thread-safe. Errors are DbPool's, and where said, the change's own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/phi.h"
#include "store/db_pool.h"
#include "store/knowledge/knowledge_tables.h"

namespace medidesk::store {

class KnowledgeRepository {
 public:
  using Deadline = DbPool::Clock::time_point;

  explicit KnowledgeRepository(DbPool& pool) : pool_(pool) {}

  // The facts now; `revision` is set. Never null.
  asio::awaitable<absl::StatusOr<std::shared_ptr<const Facts>>> Get(Deadline deadline);

  // The revision as known at most `age` ago; asks the database when nobody did since.
  asio::awaitable<absl::StatusOr<std::int64_t>> Revision(std::chrono::milliseconds age, Deadline deadline);

  struct Change {
    // See FactsChange. Runs on a pool thread, perhaps more than once; what it refers to must outlive the await.
    std::function<absl::Status(Facts* facts)> edit;
    v1::Actor actor;
    std::int64_t expected_revision = 0;
    bool dry_run = false;
  };
  struct Outcome {
    std::shared_ptr<const Facts> facts;
    std::vector<RowChange> changes;
  };
  // A refused change has the status of the edit, INVALID_ARGUMENT for facts that break a rule, or ABORTED. A
  // connection that was lost at the commit is followed up: the outcome told is the one that happened.
  asio::awaitable<absl::StatusOr<Outcome>> Apply(Change change, Deadline deadline);

  asio::awaitable<absl::StatusOr<std::vector<v1::KnowledgeChange>>> History(ChangesFilter filter, Deadline deadline);

 private:
  void Remember(const std::shared_ptr<const Facts>& facts);
  std::shared_ptr<const Facts> Cached();

  DbPool& pool_;
  std::mutex mutex_;
  std::shared_ptr<const Facts> facts_;  // under mutex_; null before the first read
  std::int64_t revision_ = -1;          // under mutex_; as last seen
  DbPool::Clock::time_point looked_{};  // under mutex_; when it was
};

// Reads a hospital file; InvalidArgument as ParseHospitalFile, NotFound for a file that cannot be opened. Blocks.
absl::StatusOr<Facts> ReadHospitalFile(const std::string& path);

// Imports the file while no facts are stored; else does nothing. Blocks; for the start of the store.
absl::Status ImportFirstHospitalFile(const Phi<std::string>& url, const std::string& role, const std::string& path);

}  // namespace medidesk::store
