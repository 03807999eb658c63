#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/rpc/call_guard.h"
#include "base/rpc/tls.h"
#include "cli/doctor/checks.h"

namespace medidesk::cli {
namespace {

constexpr int kSoon = 30;  // days
constexpr std::string_view kTrialCure = "make new ones: ./medidesk certs DIR, or ask whoever runs your CA";

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;

// Null when the file holds none.
Certificate ReadCertificate(const std::string& path) {
  const std::unique_ptr<BIO, Freed<BIO_free_all>> file(BIO_new_file(path.c_str(), "r"));
  Certificate certificate(file ? PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr);
  ERR_clear_error();
  return certificate;
}

void CheckDates(const X509* certificate, const std::string& variable, FindingList& findings) {
  int days = 0, seconds = 0;
  if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
    findings.push_back({FindingLevel::kError, "certificates", variable + " is not valid yet",
                        "correct this machine's clock, or wait"});
    return;
  }
  if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) != 1) return;
  if (days < 0 || seconds < 0) {
    findings.push_back({FindingLevel::kError, "certificates", variable + " has expired", std::string(kTrialCure)});
  } else if (days < kSoon) {
    findings.push_back({FindingLevel::kWarning, "certificates", fmt::format("{} expires in {} days", variable, days),
                        std::string(kTrialCure)});
  }
}

std::vector<std::string> NamesOf(X509* certificate) {
  std::vector<std::string> names;
  auto* const all = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(all, i);
    if (name->type != GEN_DNS) continue;
    names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                       static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(all);
  return names;
}

// Dates do not count here: CheckDates() speaks of them.
bool SignedBy(X509* certificate, const std::string& ca_file) {
  const std::unique_ptr<X509_STORE, Freed<X509_STORE_free>> store(X509_STORE_new());
  const std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
  const bool good = store && context && X509_STORE_load_file(store.get(), ca_file.c_str()) == 1 &&
                    X509_STORE_set_flags(store.get(), X509_V_FLAG_NO_CHECK_TIME) == 1 &&
                    X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr) == 1 &&
                    X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  return good;
}

void CheckMesh(const Settings& settings, FindingList& findings) {
  const rpc::TlsFiles files{settings.Get("TLS_CA"), settings.Get("TLS_CERT"), settings.Get("TLS_KEY")};
  if (files.empty()) {
    bool beyond = false;
    for (const auto& [name, fallback] :
         {std::pair("GATEWAY_ADDRESS", "127.0.0.1:7001"), std::pair("ASSISTANT_ADDRESS", "127.0.0.1:7002"),
          std::pair("STORE_ADDRESS", "127.0.0.1:7003")}) {
      beyond = beyond || !rpc::IsLocalAddress(settings.Get(name, fallback));
    }
    if (!beyond) {
      findings.push_back({FindingLevel::kOk, "certificates", "none needed: the services talk on this machine", ""});
    } else if (settings.Switch("ALLOW_PLAINTEXT")) {
      findings.push_back({FindingLevel::kWarning, "certificates", "the services talk beyond this machine without TLS",
                          "set TLS_CA, TLS_CERT and TLS_KEY (./medidesk certs DIR) and remove ALLOW_PLAINTEXT"});
    } else {
      findings.push_back({FindingLevel::kError, "certificates", "the services talk beyond this machine and have no TLS",
                          "set TLS_CA, TLS_CERT and TLS_KEY; ./medidesk certs DIR makes them for a trial"});
    }
    return;
  }
  const std::size_t before = findings.size();
  if (const absl::Status status = rpc::CheckTlsFiles(files); !status.ok()) {
    // Names the file and what is wrong with it.
    findings.push_back({FindingLevel::kError, "certificates", std::string(Text(status)),
                        "let TLS_CA, TLS_CERT and TLS_KEY name one set of PEM files: ./medidesk certs DIR makes one"});
    return;
  }
  if (const Certificate ca = ReadCertificate(files.ca)) CheckDates(ca.get(), "TLS_CA", findings);
  if (files.cert.empty()) return;
  const Certificate certificate = ReadCertificate(files.cert);
  if (certificate == nullptr) return;
  CheckDates(certificate.get(), "TLS_CERT", findings);
  if (!SignedBy(certificate.get(), files.ca)) {
    findings.push_back({FindingLevel::kError, "certificates", "TLS_CERT is not signed by the authority in TLS_CA",
                        "use the CA that signed it, or " + std::string(kTrialCure)});
  }
  if (rpc::ServiceOfNames(NamesOf(certificate.get())).empty()) {
    findings.push_back({FindingLevel::kError, "certificates", "TLS_CERT names none of MediDesk's services",
                        "add a DNS name such as store or medidesk-store to its alternative names"});
  }
  if (findings.size() == before) findings.push_back({FindingLevel::kOk, "certificates", "they fit and are valid", ""});
}

void CheckHttp(const Settings& settings, FindingList& findings) {
  const std::string path = settings.Get("HTTP_TLS_CERT"), key = settings.Get("HTTP_TLS_KEY");
  if (path.empty() && key.empty()) return;
  // The certificate stands in for its own CA: only its being there and the key's fit are looked at.
  absl::Status status = rpc::CheckTlsFiles({path, path, key});
  if (path.empty() || key.empty()) {
    status = Error(absl::StatusCode::kInvalidArgument, "HTTP_TLS_CERT and HTTP_TLS_KEY: one of the two is missing");
  }
  if (!status.ok()) {
    findings.push_back({FindingLevel::kError, "certificates", "HTTPS: " + std::string(Text(status)),
                        "let HTTP_TLS_CERT and HTTP_TLS_KEY name a certificate and its own key"});
    return;
  }
  if (const Certificate certificate = ReadCertificate(path)) CheckDates(certificate.get(), "HTTP_TLS_CERT", findings);
}

}  // namespace

FindingList CheckCertificates(const Settings& settings) {
  FindingList findings;
  CheckMesh(settings, findings);
  CheckHttp(settings, findings);
  return findings;
}

}  // namespace medidesk::cli
