// whatsapp-sim: the simulator as a program. Prints where it is and whom to trust as one line of JSON, and runs until
// SIGINT or SIGTERM.
#include <pthread.h>
#include <sys/resource.h>

#include <csignal>
#include <iostream>

#include "base/flags.h"
#include "tests/sim/whatsapp/whatsapp_sim.h"

namespace medidesk::whatsapp_sim {
namespace {

// Thousands of clients: as many file descriptors as the system allows.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

absl::Status Run(int argc, char** argv) {
  WhatsAppSim::Options options;
  FlagSet flags("whatsapp-sim", "The server side of WhatsApp's linked devices, on the loopback interface, for tests.");
  flags.Add("port", &options.port, "TCP port of the WebSocket; 0: any", {.min = 0, .max = 65535});
  flags.Twin("port", "WHATSAPP_SIM_PORT");
  flags.Add("control_port", &options.control_port, "TCP port of the control plane; 0: any", {.min = 0, .max = 65535});
  flags.Twin("control_port", "WHATSAPP_SIM_CONTROL_PORT");
  flags.Add("tls_cert", &options.tls_cert, "PEM file with the certificate for wss://; empty: ws://");
  flags.Twin("tls_cert", "WHATSAPP_SIM_TLS_CERT");
  flags.Add("tls_key", &options.tls_key, "PEM file with its key");
  flags.Twin("tls_key", "WHATSAPP_SIM_TLS_KEY");
  flags.Add("record_stanzas", &options.settings.record_stanzas, "keep the last 20,000 stanzas for GET /stanzas");
  flags.Twin("record_stanzas", "WHATSAPP_SIM_RECORD_STANZAS");
  MD_RETURN_IF_ERROR(flags.Parse(argc, argv));
  if (flags.help_wanted()) {
    std::cout << flags.Help();
    return absl::OkStatus();
  }

  // Blocked before the first thread starts, so that every thread leaves them to sigwait.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  RaiseFileLimit();

  MD_ASSIGN_OR_RETURN(const std::unique_ptr<WhatsAppSim> sim, WhatsAppSim::Start(std::move(options)));
  std::cout << sim->about() << std::endl;
  int signal = 0;
  sigwait(&stop, &signal);
  return absl::OkStatus();
}

}  // namespace
}  // namespace medidesk::whatsapp_sim

int main(int argc, char** argv) {
  const absl::Status status = medidesk::whatsapp_sim::Run(argc, argv);
  if (status.ok()) return 0;
  std::cerr << "whatsapp-sim: " << medidesk::Text(status) << '\n';
  return 2;
}
