// claude-stub: the stand-in as a program, for the demo, for benchmarks and for clients in other
// languages. Prints its URL on one line and runs until SIGINT or SIGTERM.
#include <pthread.h>

#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/flags.h"
#include "tests/sim/claude/claude_stub.h"

namespace medidesk::claude_stub {
namespace {

constexpr std::size_t kMaxScript = 4u << 20;  // bytes

std::vector<std::string> SplitList(const std::string& list) {
  std::vector<std::string> items;
  std::istringstream in(list);
  for (std::string item; std::getline(in, item, ',');) {
    if (!item.empty()) items.push_back(item);
  }
  return items;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxScript + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (in.gcount() == 0 && !in.eof())) {
    return Error(absl::StatusCode::kNotFound, "--script: the file cannot be read");
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxScript) return Error(absl::StatusCode::kInvalidArgument, "--script: the file is above 4 MB");
  return text;
}

absl::Status Run(int argc, char** argv) {
  ClaudeStub::Options options;
  std::string models, script;
  bool request_log = true, facts = false;
  FlagSet flags("claude-stub", "Stands in for the Claude Messages API on the loopback interface.");
  flags.Add("port", &options.port, "TCP port; 0: any", {.min = 0, .max = 65535});
  flags.Twin("port", "CLAUDE_STUB_PORT");
  flags.Add("threads", &options.threads, "threads that answer", {.min = 1, .max = 64});
  flags.Twin("threads", "CLAUDE_STUB_THREADS");
  flags.Add("latency", &options.latency, "pause before the first byte of every message");
  flags.Twin("latency", "CLAUDE_STUB_LATENCY");
  flags.Add("models", &models, "model ids, comma separated, in place of the usual ones");
  flags.Twin("models", "CLAUDE_STUB_MODELS");
  flags.Add("script", &script, "JSON file with rules and mode, as POST /__stub/script takes");
  flags.Twin("script", "CLAUDE_STUB_SCRIPT");
  flags.Add("facts", &facts, "answer with the best matching lines of the system prompt");
  flags.Twin("facts", "CLAUDE_STUB_FACTS");
  flags.Add("request_log", &request_log, "keep the bodies of the last 1,000 requests");
  flags.Twin("request_log", "CLAUDE_STUB_REQUEST_LOG");
  MD_RETURN_IF_ERROR(flags.Parse(argc, argv));
  if (flags.help_wanted()) {
    std::cout << flags.Help();
    return absl::OkStatus();
  }
  if (facts && !script.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "--facts: the script names its own mode; give one of the two");
  }

  // Blocked before the first thread starts, so that every thread leaves them to sigwait.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  options.models = SplitList(models);
  options.keep_bodies = request_log;
  MD_ASSIGN_OR_RETURN(const std::unique_ptr<ClaudeStub> stub, ClaudeStub::Start(std::move(options)));
  if (facts) {
    Script by_facts;
    by_facts.mode = Script::Mode::kFacts;
    stub->SetScript(std::move(by_facts));
  }
  if (!script.empty()) {
    MD_ASSIGN_OR_RETURN(const std::string text, ReadFile(script));
    MD_RETURN_IF_ERROR(stub->LoadScriptJson(text));
  }
  std::cout << stub->url() << std::endl;
  int signal = 0;
  sigwait(&stop, &signal);
  return absl::OkStatus();
}

}  // namespace
}  // namespace medidesk::claude_stub

int main(int argc, char** argv) {
  const absl::Status status = medidesk::claude_stub::Run(argc, argv);
  if (status.ok()) return 0;
  std::cerr << "claude-stub: " << medidesk::Text(status) << '\n';
  return 2;
}
