// The time as an argument: gateway/wa reads no clock.
#pragma once

#include <chrono>

namespace medidesk::gateway::wa {

// For deadlines; never goes back.
using Time = std::chrono::steady_clock::time_point;
// For what people and servers date.
using WallTime = std::chrono::system_clock::time_point;

// One moment by both clocks.
struct Moment {
  Time steady;
  WallTime wall;

  WallTime WallAt(Time time) const {
    return wall + std::chrono::duration_cast<std::chrono::system_clock::duration>(time - steady);
  }
};

}  // namespace medidesk::gateway::wa
