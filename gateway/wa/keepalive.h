// Decides when to ping, and when a connection is dead. Sans-I/O: told what happened and when, it says what to do.
//
// Every 20 to 30 s, drawn anew each time, a ping goes out. Whatever comes in is a sign of life; 20 s after a ping
// without any, the connection is dead. While the driver does not read, nothing can come in, and the clock stands.
#pragma once

#include <chrono>
#include <optional>

#include "gateway/wa/entropy.h"
#include "gateway/wa/moment.h"

namespace medidesk::gateway::wa {

class Keepalive {
 public:
  static constexpr std::chrono::milliseconds kMinInterval{20'000};
  static constexpr std::chrono::milliseconds kMaxInterval{30'000};
  static constexpr std::chrono::seconds kAnswer{20};

  enum class Action { kWait, kSendPing, kGiveUp };

  Keepalive(Entropy entropy, Time now) : entropy_(std::move(entropy)), next_ping_(now + Interval()) {}

  void OnReceived(Time now);
  // What is due now. kSendPing counts the ping as sent.
  Action Next(Time now);
  // When Next has something to say; nullopt while paused.
  std::optional<Time> next_time() const;

  // The driver has stopped reading, or reads again: a ping that waits gets its whole time again.
  void Pause();
  void Resume(Time now);

 private:
  std::chrono::milliseconds Interval() const;

  Entropy entropy_;
  Time next_ping_;
  std::optional<Time> answer_by_;  // of the ping that nothing has come after yet
  bool paused_ = false;
};

}  // namespace medidesk::gateway::wa
