#include "gateway/wa/reconnect_policy.h"

#include <algorithm>
#include <array>

namespace medidesk::gateway::wa {
namespace {

using std::chrono::seconds;

constexpr std::array<seconds, 6> kSteps = {seconds(5),  seconds(10), seconds(20),
                                           seconds(40), seconds(80), seconds(120)};

}  // namespace

void ReconnectPolicy::OnConnecting(Time now) {
  connects_.push_back(now);
  if (connects_.size() > kMaxConnectsPerHour + 1) connects_.pop_front();
}

void ReconnectPolicy::OnLoggedIn() {
  step_ = 0;
  unknown_errors_ = 0;
  refusals_ = 0;
  unauthorized_ = 0;
}

ReconnectPolicy::Plan ReconnectPolicy::Retry(Time now) {
  const auto step = std::chrono::milliseconds(kSteps[step_]);
  step_ = std::min(step_ + 1, kSteps.size() - 1);
  const auto fifth = static_cast<std::uint32_t>(step.count() / 5);
  const auto jitter =
      std::chrono::milliseconds(RandomBelow(entropy_, 2 * fifth + 1)) - std::chrono::milliseconds(fifth);
  return {.state = ConnectionState::kReconnecting, .connect_at = now + step + jitter};
}

// Turns a plan into a pause where there were too many connects.
ReconnectPolicy::Plan ReconnectPolicy::Within(Plan plan, Time now) {
  const Time hour_ago = now - std::chrono::hours(1);
  const auto recent = std::count_if(connects_.begin(), connects_.end(), [&](Time time) { return time > hour_ago; });
  if (recent <= kMaxConnectsPerHour) return plan;
  return {.state = ConnectionState::kPaused, .connect_at = now + kPause, .alarm = true};
}

ReconnectPolicy::Plan ReconnectPolicy::OnEnd(const ConnectionEnd& end, Time now) {
  const auto stop = [](ConnectionState state) { return Plan{.state = state, .connect_at = {}, .alarm = true}; };
  switch (end.kind) {
    case EndKind::kRestart:
      return Within({.state = ConnectionState::kConnecting, .connect_at = now}, now);
    case EndKind::kRetry:
      return Within(Retry(now), now);
    case EndKind::kSlowRetry:
      step_ = kSteps.size() - 1;
      return Within(Retry(now), now);
    case EndKind::kUnknownRetry:
      if (++unknown_errors_ >= kMaxUnknownErrors) return stop(ConnectionState::kStopped);
      return Within(Retry(now), now);
    case EndKind::kGenericRefusal:
      if (++refusals_ > 1) return stop(ConnectionState::kStopped);
      return {.state = ConnectionState::kPaused, .connect_at = now + kPause, .alarm = true};
    case EndKind::kMaybeLoggedOut:
      if (++unauthorized_ > 1) return stop(ConnectionState::kNeedsLink);
      return Within(Retry(now), now);
    case EndKind::kLoggedOut:
      return stop(ConnectionState::kNeedsLink);
    case EndKind::kReplaced:
      return stop(ConnectionState::kReplaced);
    case EndKind::kVersionRefused:
      return stop(ConnectionState::kVersionRefused);
    case EndKind::kBanned:
      if (!end.ban) return stop(ConnectionState::kBanned);
      return {.state = ConnectionState::kBanned, .connect_at = now + *end.ban + kPause, .alarm = true};
    case EndKind::kRefused:
      return stop(ConnectionState::kStopped);
    case EndKind::kUntrustedServer:
      return {.state = ConnectionState::kUntrustedServer, .connect_at = now + kPause, .alarm = true};
  }
  return stop(ConnectionState::kStopped);
}

}  // namespace medidesk::gateway::wa
