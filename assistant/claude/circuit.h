// Keeps a dead model from eating every turn's budget: after some failures in a row it is left
// alone for a while, then one call tries it again.
//
//   closed --failures--> open --time--> half open --success--> closed
//                          ^---------failure---'
//
// Thread-safe. Time is an argument.
#pragma once

#include <chrono>
#include <mutex>

namespace medidesk::assistant::claude {

class Circuit {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Options {
    int failures_to_open = 6;  // attempts in a row
    std::chrono::milliseconds open_for = std::chrono::seconds(15);
  };

  explicit Circuit(Options options) : options_(options) {}

  // May this call go out? While half open only one may; whoever got true must report back with
  // one of the three below.
  bool Allow(Time now);
  void OnSuccess();  // the model answered, whatever it said
  void OnFailure(Time now);
  void OnAbandoned();  // cancelled: says nothing about the model

  bool open(Time now) const;

 private:
  const Options options_;
  mutable std::mutex mutex_;
  int failures_ = 0;
  bool opened_ = false;
  bool probing_ = false;
  Time open_until_{};
};

}  // namespace medidesk::assistant::claude
