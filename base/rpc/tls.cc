#include "base/rpc/tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace medidesk::rpc {
namespace {

namespace tls = grpc::experimental;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

absl::Status BadFile(std::string_view what, const std::string& path, std::string_view problem) {
  ERR_clear_error();
  return Error(absl::StatusCode::kInvalidArgument,
               "TLS " + std::string(what) + " file " + path + ": " + std::string(problem));
}

absl::StatusOr<Certificate> ReadCertificate(std::string_view what, const std::string& path) {
  const Bio file(BIO_new_file(path.c_str(), "r"), BIO_free);
  if (file == nullptr) return BadFile(what, path, "cannot be read");
  Certificate certificate(PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr), X509_free);
  if (certificate == nullptr) return BadFile(what, path, "holds no PEM certificate");
  return certificate;
}

// Wrong passwords are asked for on the terminal unless somebody answers.
int NoPassword(char*, int, int, void*) { return 0; }

std::shared_ptr<tls::FileWatcherCertificateProvider> Watch(const TlsFiles& files) {
  const unsigned seconds = static_cast<unsigned>(files.reload.count());
  if (files.cert.empty()) return std::make_shared<tls::FileWatcherCertificateProvider>(files.ca, seconds);
  return std::make_shared<tls::FileWatcherCertificateProvider>(files.key, files.cert, files.ca, seconds);
}

}  // namespace

absl::Status CheckTlsFiles(const TlsFiles& files) {
  if (files.ca.empty()) return Error(absl::StatusCode::kInvalidArgument, "TLS: the CA file is missing, set TLS_CA");
  MD_ASSIGN_OR_RETURN(const Certificate ca, ReadCertificate("CA", files.ca));
  if (files.cert.empty() != files.key.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "TLS: set TLS_CERT and TLS_KEY together");
  }
  if (files.cert.empty()) return absl::OkStatus();
  MD_ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate("certificate", files.cert));
  const Bio file(BIO_new_file(files.key.c_str(), "r"), BIO_free);
  if (file == nullptr) return BadFile("key", files.key, "cannot be read");
  const Key key(PEM_read_bio_PrivateKey(file.get(), nullptr, NoPassword, nullptr), EVP_PKEY_free);
  if (key == nullptr) return BadFile("key", files.key, "holds no PEM key without a password");
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return BadFile("key", files.key, "does not belong to the certificate");
  }
  return absl::OkStatus();
}

bool IsUnixAddress(std::string_view address) { return address.substr(0, 5) == "unix:"; }

bool IsLocalAddress(std::string_view address) {
  if (IsUnixAddress(address)) return true;
  const std::size_t colon = address.rfind(':');
  std::string_view host = address.substr(0, colon);
  if (host == "localhost" || host == "[::1]") return true;
  // 127.0.0.0/8 in dotted form; "127.evil.example" is a name.
  return host.substr(0, 4) == "127." && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::shared_ptr<grpc::ChannelCredentials> ClientTls(const TlsFiles& files) {
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(Watch(files));
  options.watch_root_certs();
  if (!files.cert.empty()) options.watch_identity_key_cert_pairs();
  options.set_certificate_verifier(std::make_shared<tls::HostNameCertificateVerifier>());
  return tls::TlsCredentials(options);
}

std::shared_ptr<grpc::ServerCredentials> ServerTls(const TlsFiles& files, bool require_client_certificate) {
  tls::TlsServerCredentialsOptions options(Watch(files));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(require_client_certificate ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                                           : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  return tls::TlsServerCredentials(options);
}

}  // namespace medidesk::rpc
