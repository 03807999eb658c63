#include "assistant/claude/circuit.h"

namespace medidesk::assistant::claude {

bool Circuit::Allow(Time now) {
  const std::lock_guard lock(mutex_);
  if (!opened_) return true;
  if (now < open_until_ || probing_) return false;
  probing_ = true;
  return true;
}

void Circuit::OnSuccess() {
  const std::lock_guard lock(mutex_);
  failures_ = 0;
  opened_ = false;
  probing_ = false;
}

void Circuit::OnFailure(Time now) {
  const std::lock_guard lock(mutex_);
  ++failures_;
  if (probing_ || failures_ >= options_.failures_to_open) {
    opened_ = true;
    open_until_ = now + options_.open_for;
  }
  probing_ = false;
}

void Circuit::OnAbandoned() {
  const std::lock_guard lock(mutex_);
  probing_ = false;
}

bool Circuit::open(Time now) const {
  const std::lock_guard lock(mutex_);
  return opened_ && now < open_until_;
}

}  // namespace medidesk::assistant::claude
