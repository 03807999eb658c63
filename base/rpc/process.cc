#include "base/rpc/process.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <prometheus/exposer.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/log.h"

namespace medidesk::rpc {
namespace {

const std::chrono::steady_clock::time_point kStart = std::chrono::steady_clock::now();
std::string g_certificate;  // file of our certificate; set before threads start; empty: none

prometheus::MetricFamily Family(const char* name, const char* help, prometheus::MetricType type, double value) {
  prometheus::ClientMetric metric;
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return {name, help, type, {std::move(metric)}};
}

// Seconds until the certificate ends, negative once it has; nullopt when the file holds none. Read anew for each
// scrape: it may have been renewed.
std::optional<double> CertificateSeconds(const std::string& path) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "r"), BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      file == nullptr ? nullptr : PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr), X509_free);
  int days = 0, seconds = 0;
  const bool read =
      certificate != nullptr && ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate.get())) == 1;
  ERR_clear_error();
  if (!read) return std::nullopt;
  return days * 86'400.0 + seconds;
}

}  // namespace

void ProcessConfig::Register(FlagSet& flags) {
  flags.Add("log_level", &log_level, "debug, info, warning or error");
  flags.Add("log_format", &log_format, "text or json");
  flags.Add("io_threads", &io_threads, "threads of the event loop; 0: one for two cores", {.min = 0, .max = 64});
  flags.Add("drain_time", &drain_time, "how long a stop waits for running calls");
  flags.Add("tls_ca", &tls.ca, "PEM file of the CA that signs the services' certificates");
  flags.Add("tls_cert", &tls.cert, "PEM file of this service's certificate");
  flags.Add("tls_key", &tls.key, "PEM file of its private key");
  flags.Add("allow_plaintext", &allow_plaintext,
            "gRPC without TLS also beyond loopback; callers without a token are then trusted");
}

int RefuseStart(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(Text(status)).c_str());
  return 2;
}

std::optional<int> ConfigureProcess(FlagSet& flags, int argc, const char* const* argv, const ProcessConfig& process,
                                    const std::function<absl::Status()>& check) {
  absl::Status status = flags.Parse(argc, argv);
  if (status.ok() && flags.help_wanted()) {
    std::fputs(flags.Help().c_str(), stdout);
    return 0;
  }
  if (status.ok()) status = log::Configure(process.log_level, process.log_format);
  if (status.ok() && !process.tls.empty()) status = CheckTlsFiles(process.tls);
  if (status.ok()) status = check();
  if (!status.ok()) return RefuseStart(status);
  g_certificate = process.tls.cert;
  if (process.TrustsNetwork()) log::Warning("plaintext_network_trusted");
  return std::nullopt;
}

std::chrono::seconds ProcessMetrics::Uptime() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - kStart);
}

std::size_t ProcessMetrics::ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::vector<prometheus::MetricFamily> ProcessMetrics::Collect() const {
  timespec cpu{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  const auto count = [](const char* folder) {
    std::error_code error;
    double entries = 0;
    for (auto it = std::filesystem::directory_iterator(folder, error);
         !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
      ++entries;
    }
    return entries;
  };
  using prometheus::MetricType;
  std::vector<prometheus::MetricFamily> families = {
      Family("medidesk_process_memory_bytes", "Resident memory.", MetricType::Gauge,
             static_cast<double>(ResidentBytes())),
      Family("medidesk_process_uptime_seconds", "Time since the start.", MetricType::Gauge,
             static_cast<double>(Uptime().count())),
      Family("medidesk_process_cpu_seconds_total", "Processor time used.", MetricType::Counter,
             static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) / 1e9),
      Family("medidesk_process_threads", "Threads.", MetricType::Gauge, count("/proc/self/task")),
      Family("medidesk_process_open_files", "Open file descriptors.", MetricType::Gauge, count("/proc/self/fd")),
  };
  if (g_certificate.empty()) return families;
  if (const auto left = CertificateSeconds(g_certificate)) {
    families.push_back(Family("medidesk_process_certificate_seconds", "Time until the TLS certificate ends.",
                              MetricType::Gauge, *left));
  }
  return families;
}

absl::StatusOr<std::unique_ptr<prometheus::Exposer>> ServeMetrics(const std::string& address,
                                                                  std::shared_ptr<prometheus::Registry> registry) {
  if (address.empty()) return std::unique_ptr<prometheus::Exposer>();
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address, /*num_threads=*/1);
    static const auto process = std::make_shared<ProcessMetrics>();
    exposer->RegisterCollectable(std::move(registry));
    exposer->RegisterCollectable(process);
    return exposer;
  } catch (...) {
    return Error(absl::StatusCode::kUnavailable,
                 "--metrics_address: cannot listen there; expected a free host:port, or empty for none");
  }
}

}  // namespace medidesk::rpc
