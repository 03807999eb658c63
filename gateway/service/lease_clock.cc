#include "gateway/service/lease_clock.h"

#include <time.h>

namespace medidesk::gateway {

LeaseClock::Time LeaseClock::Now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return Time(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

void LeaseClock::OnAnswer(Time sent, bool alone) {
  if (sent <= last_sent_) return;
  last_sent_ = sent;
  const Time until = sent + (alone ? kHoldAlone : kHold);
  held_until_.store(until.time_since_epoch().count(), std::memory_order_release);
}

}  // namespace medidesk::gateway
