// Entropy for tests: first the bytes it was given, then a counter, so that a run repeats byte by byte.
#pragma once

#include <cstdint>
#include <memory>

#include "gateway/wa/entropy.h"

namespace medidesk::gateway::wa::testing {

inline Entropy ScriptedEntropy(Bytes script = {}, std::uint8_t then = 1) {
  struct State {
    Bytes script;
    std::size_t used = 0;
    std::uint8_t next;
  };
  const auto state = std::make_shared<State>(State{std::move(script), 0, then});
  return [state](std::span<std::uint8_t> out) {
    for (std::uint8_t& byte : out) {
      byte = state->used < state->script.size() ? state->script[state->used++] : state->next++;
    }
  };
}

}  // namespace medidesk::gateway::wa::testing
