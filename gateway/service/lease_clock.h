// How long this gateway may believe in its leases: counted on its own clock from *sending* the last heartbeat that was
// answered, because the store counts from receiving it, which is later.
//
//   not alone: 10 s, and another gateway takes over after 15 s      alone: 90 s, and another one after 105 s
//
// The clock goes on while the machine sleeps. Thread-safe: sockets ask before they write.
#pragma once

#include <atomic>
#include <chrono>

namespace medidesk::gateway {

class LeaseClock {
 public:
  // CLOCK_BOOTTIME: steady, and counts a suspended machine's time too.
  using Duration = std::chrono::nanoseconds;
  using Time = std::chrono::time_point<LeaseClock, Duration>;

  static constexpr std::chrono::seconds kHold{10};
  static constexpr std::chrono::seconds kHoldAlone{90};

  static Time Now();

  // A heartbeat sent at `sent` was answered. An answer that a later one has overtaken changes nothing.
  void OnAnswer(Time sent, bool alone);

  // Before the first answer: the beginning of time.
  Time held_until() const { return Time(Duration(held_until_.load(std::memory_order_acquire))); }
  bool Holds(Time now = Now()) const { return now < held_until(); }

 private:
  std::atomic<Duration::rep> held_until_{0};
  Time last_sent_{};  // by the caller of OnAnswer
};

}  // namespace medidesk::gateway
