// What the connections and the controlling test share: queued faults and replies, the script, the
// log of requests, and fresh ids. Thread-safe; nothing in it blocks for long.
//
// Bounded: at most kMaxQueued faults and replies each, and a log of the last kMaxLogged requests
// whose bodies hold at most kMaxLoggedBytes; the oldest requests go first.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/status.h"
#include "tests/sim/claude/types.h"

namespace medidesk::claude_stub {

class StubState {
 public:
  static constexpr std::size_t kMaxQueued = 10'000;
  static constexpr std::size_t kMaxLogged = 1'000;
  static constexpr std::size_t kMaxLoggedBytes = 64u << 20;
  using RequestPtr = std::shared_ptr<const Request>;

  explicit StubState(bool keep_bodies) : keep_bodies_(keep_bodies) {}

  // Clears faults, replies and log. The script stays.
  void Reset();
  // RESOURCE_EXHAUSTED when the queue is full.
  absl::Status QueueReply(Reply reply);
  absl::Status Inject(Fault fault);
  void SetScript(Script script);

  // Uses up one of the fault's times; nullopt when none is meant for `path`.
  std::optional<Fault> TakeFault(std::string_view path);
  // The oldest queued reply. With `keep` it stays queued.
  std::optional<Reply> TakeReply(bool keep);
  std::shared_ptr<const Script> script() const;

  // Sets `at` and logs it.
  RequestPtr Record(Request request);
  std::vector<RequestPtr> Requests() const;
  // Since the start or Reset(), those that left the log included.
  std::uint64_t request_count() const;
  bool WaitForRequests(std::uint64_t count, std::chrono::milliseconds timeout) const;

  // Unique among all stubs of a machine, as far as chance allows.
  std::string NewId(std::string_view prefix);

 private:
  const bool keep_bodies_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  mutable std::mutex mutex_;
  mutable std::condition_variable arrived_;
  std::deque<Fault> faults_;
  std::deque<Reply> replies_;
  std::shared_ptr<const Script> script_ = std::make_shared<const Script>();
  std::deque<RequestPtr> log_;
  std::size_t log_bytes_ = 0;
  std::uint64_t request_count_ = 0;
  std::uint64_t ids_ = 0;
  std::string id_stem_;  // made at the first id
};

}  // namespace medidesk::claude_stub
