#include <boost/json/parse.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>

#include "cli/doctor/checks.h"

namespace medidesk::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::chrono::seconds kLimit{15};      // the programs end their own waits after 5 s each
constexpr std::size_t kMaxOutput = 256u << 10;  // bytes

struct Ended {
  int code = -1;  // -1: it had to be ended
  std::string out, errors;
};

Ended Run(const fs::path& program, const std::vector<std::string>& environment) {
  Ended ended;
  int out[2], errors[2];
  if (pipe2(out, O_CLOEXEC) != 0) return ended;
  if (pipe2(errors, O_CLOEXEC) != 0) {
    close(out[0]), close(out[1]);
    return ended;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO);
  std::string path = program.string(), flag = "--check";
  char* const arguments[] = {path.data(), flag.data(), nullptr};
  std::vector<char*> entries;
  for (const std::string& entry : environment) entries.push_back(const_cast<char*>(entry.c_str()));
  entries.push_back(nullptr);
  pid_t pid = -1;
  const bool started = posix_spawn(&pid, path.c_str(), &actions, nullptr, arguments, entries.data()) == 0;
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]), close(errors[1]);

  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  pollfd polled[] = {{out[0], POLLIN, 0}, {errors[0], POLLIN, 0}};
  bool late = !started;
  while (!late && (polled[0].fd >= 0 || polled[1].fd >= 0)) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    late = left <= 0 || poll(polled, 2, static_cast<int>(left)) == 0;
    for (int i = 0; !late && i < 2; ++i) {
      if (polled[i].revents == 0) continue;
      char bytes[4096];
      const ssize_t got = read(polled[i].fd, bytes, sizeof bytes);
      std::string& to = i == 0 ? ended.out : ended.errors;
      if (got > 0 && to.size() < kMaxOutput) to.append(bytes, static_cast<std::size_t>(got));
      if (got <= 0) polled[i].fd = -1;
    }
  }
  close(out[0]), close(errors[0]);
  if (!started) return ended;
  if (late) kill(pid, SIGKILL);
  int status = 0;
  waitpid(pid, &status, 0);
  if (!late && WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  return ended;
}

// nullopt for a line that is no finding.
std::optional<Finding> Parse(const std::string& line) {
  json::error_code error;
  const json::value value = json::parse(line, error);
  if (error || !value.is_object()) return std::nullopt;
  const auto text = [&](const char* name) {
    const json::value* field = value.get_object().if_contains(name);
    return field != nullptr && field->is_string() ? std::string(field->get_string().c_str()) : std::string();
  };
  Finding finding{FindingLevel::kError, text("check"), text("what"), text("cure")};
  for (const FindingLevel level : {FindingLevel::kOk, FindingLevel::kSkipped, FindingLevel::kWarning}) {
    if (text("level") == Name(level)) finding.level = level;
  }
  return finding;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace

FindingList RunProgramCheck(const std::string& program, const std::string& check, const Settings& settings) {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error).parent_path() / program;
  if (access(path.c_str(), X_OK) != 0) {
    return {
        {FindingLevel::kSkipped, check, program + " is not beside medidesk-cli", "build it: ./medidesk doctor does"}};
  }
  // Certificates have their own check, and without them the program must still answer.
  Settings passed = settings;
  for (const char* name : {"TLS_CA", "TLS_CERT", "TLS_KEY"}) passed.Set(name, "");
  const Ended ended = Run(path, passed.Environment());
  if (ended.code < 0) {
    return {{FindingLevel::kError, check, program + " --check did not end in time", "run it by hand to see why"}};
  }
  if (ended.code != 0) {
    // Its own line: it names a flag and never quotes a value.
    const std::vector<std::string> lines = Lines(ended.errors);
    return {{FindingLevel::kError, "configuration",
             lines.empty() ? fmt::format("{} --check ended with code {}", program, ended.code) : lines.back(),
             "correct it in .env or the environment: docs/configuration.md says what it takes"}};
  }
  FindingList findings;
  for (const std::string& line : Lines(ended.out)) {
    if (auto finding = Parse(line)) findings.push_back(*std::move(finding));
  }
  return findings;
}

FindingList CheckDatabase(const Settings& settings) {
  if (settings.Has("DATABASE_URL")) return RunProgramCheck("medidesk-store", "database", settings);
  // The private one, which runs beside `./medidesk up`.
  std::ifstream in(settings.Get("MEDIDESK_VAR", "var") + "/database_url");
  std::string url;
  if (!std::getline(in, url) || url.empty()) {
    return {{FindingLevel::kSkipped, "database", "none is configured; ./medidesk up starts a private one",
             "set DATABASE_URL to use your own"}};
  }
  Settings with_url = settings;
  with_url.Set("DATABASE_URL", url);
  FindingList findings = RunProgramCheck("medidesk-store", "database", with_url);
  if (findings.size() == 1 && findings[0].check == "database" && findings[0].level == FindingLevel::kError) {
    findings = {{FindingLevel::kSkipped, "database", "the private database does not run",
                 "./medidesk up starts it; run doctor beside it"}};
  }
  return findings;
}

FindingList CheckClaude(const Settings& settings) { return RunProgramCheck("medidesk-assistant", "claude", settings); }

}  // namespace medidesk::cli
