#include "gateway/wa/keepalive.h"

#include <algorithm>

namespace medidesk::gateway::wa {

std::chrono::milliseconds Keepalive::Interval() const {
  const auto spread = static_cast<std::uint32_t>((kMaxInterval - kMinInterval).count());
  return kMinInterval + std::chrono::milliseconds(RandomBelow(entropy_, spread + 1));
}

void Keepalive::OnReceived(Time) { answer_by_.reset(); }

Keepalive::Action Keepalive::Next(Time now) {
  if (paused_) return Action::kWait;
  if (answer_by_ && now >= *answer_by_) return Action::kGiveUp;
  if (now < next_ping_) return Action::kWait;
  next_ping_ = now + Interval();
  if (!answer_by_) answer_by_ = now + kAnswer;
  return Action::kSendPing;
}

std::optional<Time> Keepalive::next_time() const {
  if (paused_) return std::nullopt;
  return answer_by_ ? std::min(*answer_by_, next_ping_) : next_ping_;
}

void Keepalive::Pause() { paused_ = true; }

void Keepalive::Resume(Time now) {
  if (!paused_) return;
  paused_ = false;
  if (answer_by_) answer_by_ = now + kAnswer;
}

}  // namespace medidesk::gateway::wa
