#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "cli/doctor/checks.h"

namespace medidesk::cli {
namespace {

namespace fs = std::filesystem;

enum class PortState { kFree, kTaken, kNotOurs };

// kNotOurs: an address of another machine, which is dialled and not listened on.
PortState TryToListen(const std::string& host, int port) {
  sockaddr_storage address{};
  socklen_t size = 0;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&address);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address);
  if (inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    size = sizeof *v4;
  } else if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
    size = sizeof *v6;
  } else {
    return PortState::kNotOurs;
  }
  const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return PortState::kNotOurs;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0;
  const bool taken = !bound && errno == EADDRINUSE;
  close(fd);
  return bound ? PortState::kFree : taken ? PortState::kTaken : PortState::kNotOurs;
}

// Inodes of the sockets that listen on the port.
std::set<std::string> Listeners(int port) {
  std::set<std::string> inodes;
  for (const char* file : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) {
      std::istringstream fields(line);
      std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
      fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode;
      const std::size_t colon = local.rfind(':');
      if (state == "0A" && colon != std::string::npos && local.substr(colon + 1) == fmt::format("{:04X}", port)) {
        inodes.insert("socket:[" + inode + "]");
      }
    }
  }
  return inodes;
}

// The name of the program that listens on the port; empty when it is another account's.
std::string ProgramOnPort(int port) {
  const std::set<std::string> inodes = Listeners(port);
  std::error_code error;
  for (fs::directory_iterator process("/proc", error), end; !error && process != end; process.increment(error)) {
    if (process->path().filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code closed;
    for (fs::directory_iterator fd(process->path() / "fd", closed); !closed && fd != end; fd.increment(closed)) {
      std::error_code gone;
      if (inodes.count(fs::read_symlink(fd->path(), gone).string()) == 0) continue;
      std::ifstream in(process->path() / "comm");
      std::string name;
      std::getline(in, name);
      return name;
    }
  }
  return {};
}

void CheckPort(const std::string& variable, const std::string& host, const std::string& text, FindingList& findings) {
  int port = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 0 || port > 65535) {
    findings.push_back(
        {FindingLevel::kError, "ports", variable + " holds no port from 0 to 65535", "correct " + variable});
    return;
  }
  if (port == 0) return;
  const PortState state = TryToListen(host, port);
  if (state == PortState::kNotOurs) return;
  if (state == PortState::kFree) {
    findings.push_back({FindingLevel::kOk, "ports", fmt::format("{} ({}) is free", port, variable), ""});
    return;
  }
  const std::string program = ProgramOnPort(port);
  if (program.rfind("medidesk", 0) == 0) {
    findings.push_back({FindingLevel::kOk, "ports", fmt::format("{} ({}): MediDesk runs there", port, variable), ""});
    return;
  }
  findings.push_back({FindingLevel::kError, "ports",
                      fmt::format("port {} ({}) is taken by {}", port, variable,
                                  program.empty() ? "a program of another account" : program),
                      fmt::format("stop that program, or set {} to a free one", variable)});
}

// Of a folder that need not be there yet: of the nearest one above it.
void CheckRoom(const std::string& name, fs::path folder, FindingList& findings) {
  constexpr double kMiB = 1024.0 * 1024, kTooLittle = 512, kLittle = 2048;  // MiB
  std::error_code error;
  folder = fs::absolute(folder, error);
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  struct statvfs room {};
  if (statvfs(folder.c_str(), &room) != 0) {
    findings.push_back({FindingLevel::kSkipped, "disk", name + " cannot be looked at",
                        "run doctor with the account that runs MediDesk"});
    return;
  }
  const double free = static_cast<double>(room.f_bavail) * static_cast<double>(room.f_frsize) / kMiB;
  const std::string what = fmt::format("{:.0f} MiB are free for {}", free, name);
  if (free < kLittle || (room.f_files > 0 && room.f_favail < 1000)) {
    findings.push_back({free < kTooLittle ? FindingLevel::kError : FindingLevel::kWarning, "disk", what,
                        "free some space, or let MEDIDESK_VAR name a folder on a larger disk"});
  } else {
    findings.push_back({FindingLevel::kOk, "disk", what, ""});
  }
}

}  // namespace

FindingList CheckPorts(const Settings& settings) {
  FindingList findings;
  CheckPort("PORT", settings.Get("HTTP_ADDRESS", "127.0.0.1"), settings.Get("PORT", "8080"), findings);
  for (const auto& [variable, fallback] :
       {std::pair("GATEWAY_ADDRESS", "127.0.0.1:7001"), std::pair("ASSISTANT_ADDRESS", "127.0.0.1:7002"),
        std::pair("STORE_ADDRESS", "127.0.0.1:7003")}) {
    const std::string address = settings.Get(variable, fallback);
    if (address.rfind("unix:", 0) == 0) continue;
    const std::size_t colon = address.rfind(':');
    std::string host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    CheckPort(variable, host, colon == std::string::npos ? "" : address.substr(colon + 1), findings);
  }
  return findings;
}

FindingList CheckDisk(const Settings& settings) {
  FindingList findings;
  const fs::path var = settings.Get("MEDIDESK_VAR", "var");
  CheckRoom("MEDIDESK_VAR", var, findings);
  std::error_code error;
  if (!settings.Has("DATABASE_URL") && fs::exists(var / "postgres", error)) {
    CheckRoom("the private database", fs::canonical(var / "postgres", error), findings);
  }
  return findings;
}

}  // namespace medidesk::cli
