// medidesk-eval: runs the gate and the class over a set of labelled messages, offline.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "base/flags.h"
#include "safety/eval/dataset.h"
#include "safety/eval/scores.h"
#include "safety/gate.h"

namespace medidesk::safety {
namespace {

struct Config {
  std::string set = "tests/eval/development.jsonl", predictions, split = "all", text;
  bool misses = false;
};

std::string Shown(const EvalMessage& message) {
  std::string text;
  for (const std::string& part : message.burst) text += (text.empty() ? "" : " // ") + part;
  return text;
}

absl::Status Run(const Config& config) {
  if (config.split != "all" && config.split != "work" && config.split != "held-out") {
    return Error(absl::StatusCode::kInvalidArgument, "--split: expected all, work or held-out");
  }
  if (!config.text.empty()) {
    MD_ASSIGN_OR_RETURN(const Gate gate, Gate::Make(EmbeddedTables()));
    const Verdict verdict = gate.Screen(config.text);
    fmt::print("{} {} {} {} class {}\n", Name(verdict.severity), verdict.family, verdict.rule_id, verdict.language,
               ClassOf(verdict));
    for (const Gate::Found& found : gate.Explain(config.text))
      fmt::print("  {}: {}\n", found.concept_name, found.words);
    return absl::OkStatus();
  }
  std::ifstream in(config.set, std::ios::binary);
  if (!in) return Error(absl::StatusCode::kInvalidArgument, "--set: the file cannot be read");
  const std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  MD_ASSIGN_OR_RETURN(const std::vector<EvalMessage> messages, ParseEvalSet(content));
  MD_ASSIGN_OR_RETURN(const Gate gate, Gate::Make(EmbeddedTables()));
  std::ofstream out;
  if (!config.predictions.empty()) {
    out.open(config.predictions, std::ios::binary);
    if (!out) return Error(absl::StatusCode::kInvalidArgument, "--predictions: the file cannot be written");
  }
  Scores scores;
  std::size_t count = 0;
  std::chrono::nanoseconds spent{0};
  for (const EvalMessage& message : messages) {
    if (config.split != "all" && message.held_out != (config.split == "held-out")) continue;
    const auto start = std::chrono::steady_clock::now();
    const Verdict verdict = gate.ScreenBurst(message.burst);
    spent += std::chrono::steady_clock::now() - start;
    ++count;
    scores.Add(message, verdict);
    if (out.is_open()) out << PredictionLine(message, Name(verdict.severity), ClassOf(verdict)) << '\n';
    const bool wrong = message.gate && *message.gate != verdict.emergency();
    const bool mislabelled = !message.label.empty() && message.label != ClassOf(verdict);
    if (config.misses && (wrong || mislabelled)) {
      fmt::print("{:<6} {} {} as {} {} ({}): {}\n", wrong ? (*message.gate ? "MISS" : "ALARM") : "class", message.id,
                 message.label, Name(verdict.severity), ClassOf(verdict), verdict.rule_id, Shown(message));
    }
  }
  fmt::print("{} messages of {} ({}), tables {}, {:.1f} us a message\n{}", count, config.set, config.split,
             gate.table_version(),
             count == 0 ? 0.0 : static_cast<double>(spent.count()) / 1000 / static_cast<double>(count),
             scores.Report());
  if (out.is_open() && !out.flush()) return Error(absl::StatusCode::kUnavailable, "--predictions: the disk is full");
  return absl::OkStatus();
}

}  // namespace
}  // namespace medidesk::safety

int main(int argc, char** argv) {
  medidesk::safety::Config config;
  medidesk::FlagSet flags("medidesk-eval", "Runs the gate and the class over labelled messages, offline.");
  flags.Add("set", &config.set, "JSON lines of {id, text or burst, lang, class, gate}");
  flags.Add("predictions", &config.predictions, "file to write {id, gate, class} lines to; empty: none");
  flags.Add("split", &config.split, "all; work or held-out: by a hash of the text, 70 to 30");
  flags.Add("text", &config.text, "screen this one text instead, and show the concepts found in it");
  flags.Add("misses", &config.misses, "print every message that came out wrong");
  const auto no_environment = [](const char*) -> const char* { return nullptr; };
  absl::Status status = flags.Parse(argc, argv, no_environment);
  if (flags.help_wanted()) {
    fmt::print("{}", flags.Help());
    return 0;
  }
  if (status.ok()) status = medidesk::safety::Run(config);
  if (status.ok()) return 0;
  fmt::print(stderr, "medidesk-eval: {}\n", medidesk::Text(status));
  return 2;
}
