// gate_bench: what the gate costs, by the length of a message. Prints one JSON object.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>

#include "safety/gate.h"

namespace medidesk::safety {
namespace {

const Gate& TheGate() {
  static const Gate gate = *Gate::Make(EmbeddedTables());
  return gate;
}

void Screen(benchmark::State& state, std::string_view piece) {
  const auto words = static_cast<std::size_t>(state.range(0));
  std::string text;
  std::size_t count = 0;
  while (count < words) {
    text += piece;
    count += static_cast<std::size_t>(std::count(piece.begin(), piece.end(), ' '));
  }
  for (auto _ : state) benchmark::DoNotOptimize(TheGate().Screen(text));
  state.SetComplexityN(state.range(0));
  state.counters["words"] = static_cast<double>(words);
}

void Ordinary(benchmark::State& state) {
  Screen(state, "please can you tell me when the dermatology department opens on saturday and what it costs ");
}
void Symptoms(benchmark::State& state) {
  Screen(state, "no chest pain but my father had fever and vomiting last year and his left arm felt numb then ");
}
void Unknown(benchmark::State& state) { Screen(state, "qwxzvb plmkjtrw zxcvbnmq poiuyqwer brtghnmk wqpoxmzna "); }

BENCHMARK(Ordinary)->RangeMultiplier(8)->Range(8, 4096)->Complexity(benchmark::oN)->Unit(benchmark::kMicrosecond);
BENCHMARK(Symptoms)->RangeMultiplier(8)->Range(8, 4096)->Complexity(benchmark::oN)->Unit(benchmark::kMicrosecond);
BENCHMARK(Unknown)->RangeMultiplier(8)->Range(8, 4096)->Complexity(benchmark::oN)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace medidesk::safety
BENCHMARK_MAIN();
