// What every main.cc does the same way: settings of the process, the one-line refusal of a wrong
// configuration, and the metrics of the process with their own port.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/registry.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/flags.h"
#include "base/rpc/tls.h"
#include "base/status.h"

namespace prometheus {
class Exposer;
}

namespace medidesk::rpc {

struct ProcessConfig {
  std::string log_level = "info";
  std::string log_format = "text";
  int io_threads = 0;                            // as IoThreads takes it
  std::chrono::milliseconds drain_time{10'000};  // from the stop signal to the end
  TlsFiles tls = {};
  bool allow_plaintext = false;

  void Register(FlagSet& flags);
  // Without TLS nobody beyond this machine can be told apart, and --allow_plaintext says that the network may be
  // trusted: for CallGuard.
  bool TrustsNetwork() const { return allow_plaintext && tls.empty(); }
};

// Reads the flags into what was registered, checks and configures logging. A value: the program ends
// with that code, after help or one line that names the flag has been printed.
std::optional<int> ConfigureProcess(FlagSet& flags, int argc, const char* const* argv, const ProcessConfig& process,
                                    const std::function<absl::Status()>& check);
// Prints the one line of a start that failed and gives the exit code.
int RefuseStart(const absl::Status& status);

//   medidesk_process_memory_bytes    resident set
//   medidesk_process_uptime_seconds
//   medidesk_process_cpu_seconds_total
//   medidesk_process_threads
//   medidesk_process_open_files
class ProcessMetrics final : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;

  static std::chrono::seconds Uptime();
  static std::size_t ResidentBytes();
};

// Serves /metrics of one process on "host:port"; "" serves nothing. UNAVAILABLE when the address is
// taken.
absl::StatusOr<std::unique_ptr<prometheus::Exposer>> ServeMetrics(const std::string& address,
                                                                  std::shared_ptr<prometheus::Registry> registry);

}  // namespace medidesk::rpc
