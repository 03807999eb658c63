// A Link in memory: keeps what was written and closed; time passes when a test says so.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "tests/sim/whatsapp/link.h"

namespace medidesk::whatsapp_sim::testing {

class FakeLink final : public Link {
 public:
  void Write(Bytes message) override { written.push_back(std::move(message)); }
  void Close(How how, int status) override { closed.emplace(how, status); }
  void StopReading() override { reading = false; }
  void DelayWrites(std::chrono::milliseconds time) override { late = time; }
  void After(std::chrono::milliseconds time, std::function<void()> then) override {
    timers.push_back({now + time, std::move(then)});
  }

  // Runs what is due in the next `time`, in order.
  void Pass(std::chrono::milliseconds time) {
    now += time;
    for (;;) {
      const auto due = std::min_element(timers.begin(), timers.end(),
                                        [](const auto& a, const auto& b) { return a.first < b.first; });
      if (due == timers.end() || due->first > now) return;
      const auto then = std::move(due->second);
      timers.erase(due);
      then();
    }
  }

  std::vector<Bytes> written;
  std::optional<std::pair<How, int>> closed;
  bool reading = true;
  std::chrono::milliseconds late{0}, now{0};
  std::vector<std::pair<std::chrono::milliseconds, std::function<void()>>> timers;
};

}  // namespace medidesk::whatsapp_sim::testing
