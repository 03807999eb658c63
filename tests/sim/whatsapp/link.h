// What a session needs of the connection under it. Calls come from the simulator's one thread.
#pragma once

#include <chrono>
#include <functional>

#include "tests/sim/whatsapp/bytes.h"

namespace medidesk::whatsapp_sim {

class Link {
 public:
  enum class How {
    kClose,  // a WebSocket close frame, `status` in it
    kCut,    // TCP closed without one
    kReset,  // TCP reset
  };

  virtual ~Link() = default;

  // One WebSocket message, sent in order after those before it.
  virtual void Write(Bytes message) = 0;
  // What was written before goes out first, but for kReset. The session hears of it through OnClosed.
  virtual void Close(How how, int status) = 0;
  virtual void StopReading() = 0;
  // Every message written from now on is this late.
  virtual void DelayWrites(std::chrono::milliseconds late) = 0;
  // Runs `then` once, unless the connection has ended before.
  virtual void After(std::chrono::milliseconds time, std::function<void()> then) = 0;
};

}  // namespace medidesk::whatsapp_sim
