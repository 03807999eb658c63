// When to connect again after a connection has ended, if at all. Sans-I/O; one belongs to one number for as long as it
// is owned here, across connections.
//
//   lost               5, 10, 20, 40, 80, 120, 120, ... s, each by up to 20 % shorter or longer, from 5 s after a login
//   515                at once
//   429                120 s and on
//   over 20 connects in an hour            15 min, with an alarm
//   402                15 min after the ban ends; where it names no end, when a person says so
//   untrusted server, 400                  15 min, with an alarm; 400 twice in a row: stop
//   401, 403, 406, 516, 419 twice          stop: the number must be linked again
//   replaced, version, refused, 5 unknown errors in a row   stop
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "gateway/wa/connection_end.h"
#include "gateway/wa/entropy.h"
#include "gateway/wa/moment.h"

namespace medidesk::gateway::wa {

// What a number's connection is doing. The numbers are those of the store's NumberState.
enum class ConnectionState {
  kNeedsLink = 2,
  kLinking = 3,
  kConnecting = 4,
  kCatchingUp = 5,
  kConnected = 6,
  kReconnecting = 7,
  kPaused = 8,
  kReplaced = 10,
  kVersionRefused = 11,
  kBanned = 12,
  kUntrustedServer = 13,
  kStopped = 14,
};

class ReconnectPolicy {
 public:
  static constexpr std::chrono::minutes kPause{15};
  static constexpr int kMaxConnectsPerHour = 20;
  static constexpr int kMaxUnknownErrors = 5;

  struct Plan {
    ConnectionState state;
    std::optional<Time> connect_at;  // absent: stopped until a person acts
    bool alarm = false;              // a person should look
  };

  explicit ReconnectPolicy(Entropy entropy) : entropy_(std::move(entropy)) {}

  // A connection is being made.
  void OnConnecting(Time now);
  // The server has let us in: the back-off starts anew.
  void OnLoggedIn();
  Plan OnEnd(const ConnectionEnd& end, Time now);

 private:
  Plan Retry(Time now);
  Plan Within(Plan plan, Time now);

  Entropy entropy_;
  std::deque<Time> connects_;  // of the last hour, at most kMaxConnectsPerHour + 1
  std::size_t step_ = 0;
  int unknown_errors_ = 0;
  int refusals_ = 0;      // 400, in a row
  int unauthorized_ = 0;  // 419, in a row
};

}  // namespace medidesk::gateway::wa
