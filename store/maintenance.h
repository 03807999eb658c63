// The store's own clockwork, on one thread with one connection of its own: migrations at start,
// then the sweeper of unanswered turns, the audit sealer, the end of old texts, the return of quiet conversations to
// the assistant, the rollups of the reports, and the gauges of tables and turns.
//
// A database that is down is waited for; nothing here ends the process. Several stores may run:
// each job is safe beside itself (advisory locks, SKIP LOCKED).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/phi.h"
#include "base/status.h"
#include "store/database.h"
#include "store/metrics.h"

namespace medidesk::store {

class Maintenance {
 public:
  struct Options {
    Phi<std::string> url;          // as the pool's
    Phi<std::string> migrate_url;  // a login that may create tables
    std::string role = "medidesk_service";
    std::chrono::milliseconds seal{250};      // between audit seals: small ones hold nobody up
    std::chrono::milliseconds sweep{10'000};  // between looks for unanswered turns
    std::chrono::milliseconds gauges{15'000};
    std::chrono::milliseconds rollup{10'000};     // of the reports
    int retention_days = 0;                       // texts older than this are deleted; 0: kept
    std::chrono::milliseconds expiry{3'600'000};  // between two passes over all conversations
    int takeover_quiet_minutes = 0;  // taken over and quiet for so long: back to the assistant; 0: only by hand
    std::chrono::milliseconds quiet{30'000};  // between looks for quiet ones
    // Called once when the schema is there, again after a failure. May be empty.
    std::function<absl::Status()> on_schema_ready = nullptr;
  };

  Maintenance(Options options, StoreMetrics& metrics);
  ~Maintenance();  // Stop()
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

  // Waits for the job that runs.
  void Stop();

  // True once the migrations are applied.
  bool schema_ready() const { return schema_ready_.load(); }

 private:
  using Clock = std::chrono::steady_clock;
  void Run();
  void Prepare();  // until the schema is ready or Stop()
  void Round(pqxx::connection& connection);
  // False when Stop() was called.
  bool Sleep(std::chrono::milliseconds time);

  const Options options_;
  StoreMetrics& metrics_;
  std::atomic<bool> schema_ready_{false};
  Clock::time_point next_sweep_{}, next_gauges_{}, next_expiry_{}, next_rollup_{}, next_quiet_{};
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;  // under mutex_
  std::thread thread_;
};

}  // namespace medidesk::store
