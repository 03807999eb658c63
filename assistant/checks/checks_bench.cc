// Time of the output checks by the length of the answer: linear, and small beside a model's seconds.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "assistant/checks/output_checks.h"
#include "assistant/checks/sentence_stream.h"

namespace medidesk::assistant {
namespace {

const CheckContext& Context() {
  static const std::vector<std::string> numbers = {"15550100200", "15550100911"};
  static const std::unordered_set<std::size_t> instructions = InstructionRuns(
      "Use only the facts below. If they do not hold the answer, say that you do not have it and offer the staff. "
      "Never guess hours, prices, names, addresses or policies. Give no medical advice, no diagnosis and no dose.");
  static const CheckContext context = [] {
    CheckContext made;
    made.allowed_link_hosts = {"www.hill.example"};
    made.max_chars = 1'000'000;
    made.known_numbers = &numbers;
    made.instructions = &instructions;
    return made;
  }();
  return context;
}

std::string Repeated(std::string_view piece, std::size_t words) {
  const auto each = static_cast<std::size_t>(std::count(piece.begin(), piece.end(), ' '));
  std::string text;
  for (std::size_t count = 0; count < words; count += each) text += piece;
  return text;
}

void Check(benchmark::State& state, std::string_view piece) {
  const std::string text = Repeated(piece, static_cast<std::size_t>(state.range(0)));
  if (!CheckReply(text, Context()).passed) state.SkipWithError("the text is stopped: not what is measured");
  for (auto _ : state) benchmark::DoNotOptimize(CheckReply(text, Context()));
  state.SetComplexityN(state.range(0));
  state.counters["bytes"] = static_cast<double>(text.size());
}

constexpr std::string_view kPlain =
    "Visiting hours are from 10 to 20 every day, and children are welcome when somebody is with them. ";

void Plain(benchmark::State& state) { Check(state, kPlain); }
void Marked(benchmark::State& state) {
  Check(state, "**Cardiology** is in [building B](https://www.hill.example/b), call +1 555 010 0200 before you come. ");
}
void Arabic(benchmark::State& state) {
  Check(state, "مواعيد الزيارة من العاشرة صباحا حتى الثامنة مساء كل يوم في المستشفى. ");
}
// As a stream gives it: in pieces, each sentence checked by itself.
void Streamed(benchmark::State& state) {
  const std::string text = Repeated(kPlain, static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    SentenceStream sentences;
    std::size_t passed = 0;
    for (std::size_t at = 0; at < text.size(); at += 24) {
      for (const std::string& sentence : sentences.Feed(std::string_view(text).substr(at, 24))) {
        passed += CheckReply(sentence, Context()).passed;
      }
    }
    for (const std::string& sentence : sentences.Flush()) passed += CheckReply(sentence, Context()).passed;
    benchmark::DoNotOptimize(passed);
  }
  state.SetComplexityN(state.range(0));
}

#define MD_BENCHMARK(name) \
  BENCHMARK(name)->RangeMultiplier(8)->Range(8, 4096)->Complexity(benchmark::oN)->Unit(benchmark::kMicrosecond)
MD_BENCHMARK(Plain);
MD_BENCHMARK(Marked);
MD_BENCHMARK(Arabic);
MD_BENCHMARK(Streamed);
#undef MD_BENCHMARK

}  // namespace
}  // namespace medidesk::assistant
BENCHMARK_MAIN();
