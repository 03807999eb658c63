#include "cli/trial_certificates.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "base/rpc/call_guard.h"

namespace medidesk::cli {
namespace {

template <class T, void (*Free)(T*)>
struct Freed {
  void operator()(T* object) const { Free(object); }
};
template <class T, void (*Free)(T*)>
using Owned = std::unique_ptr<T, Freed<T, Free>>;

void FreeBio(BIO* bio) { BIO_free(bio); }

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Certificate = Owned<X509, X509_free>;
using Extension = Owned<X509_EXTENSION, X509_EXTENSION_free>;
using Number = Owned<BIGNUM, BN_free>;
using Memory = Owned<BIO, FreeBio>;

absl::Status Failed() { return Error(absl::StatusCode::kInternal, "OpenSSL could not make a certificate"); }

struct Identity {
  Key key;
  Certificate certificate;
};

bool AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool SetSerial(X509* certificate) {
  const Number serial(BN_new());
  return serial != nullptr && BN_rand(serial.get(), 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) != nullptr;
}

// `issuer` null: signed by itself, an authority.
absl::StatusOr<Identity> Make(const std::string& common_name, const std::string& alternative_names, int days,
                              const Identity* issuer) {
  Identity made{Key(EVP_EC_gen("P-256")), Certificate(X509_new())};
  X509* const certificate = made.certificate.get();
  if (made.key == nullptr || certificate == nullptr) return Failed();
  X509* const signer = issuer == nullptr ? certificate : issuer->certificate.get();
  X509_NAME* const subject = X509_get_subject_name(certificate);
  const auto* const text = reinterpret_cast<const unsigned char*>(common_name.c_str());
  bool ok = X509_set_version(certificate, 2) == 1 && SetSerial(certificate) &&
            X509_gmtime_adj(X509_getm_notBefore(certificate), -300) != nullptr &&  // clocks differ a little
            X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, nullptr) != nullptr &&
            X509_set_pubkey(certificate, made.key.get()) == 1 &&
            X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1 &&
            X509_set_issuer_name(certificate, X509_get_subject_name(signer)) == 1 &&
            AddExtension(certificate, signer, NID_subject_key_identifier, "hash");
  if (issuer == nullptr) {
    ok = ok && AddExtension(certificate, signer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
         AddExtension(certificate, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    ok = ok && AddExtension(certificate, signer, NID_authority_key_identifier, "keyid") &&
         AddExtension(certificate, signer, NID_basic_constraints, "critical,CA:FALSE") &&
         AddExtension(certificate, signer, NID_key_usage, "critical,digitalSignature") &&
         AddExtension(certificate, signer, NID_ext_key_usage, "serverAuth,clientAuth") &&
         AddExtension(certificate, signer, NID_subject_alt_name, alternative_names);
  }
  EVP_PKEY* const signing_key = issuer == nullptr ? made.key.get() : issuer->key.get();
  if (!ok || X509_sign(certificate, signing_key, EVP_sha256()) == 0) return Failed();
  return made;
}

bool IsIpAddress(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

bool IsDnsName(const std::string& host) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-.";
  return !host.empty() && host.size() <= 253 && host.find_first_not_of(kAllowed) == std::string::npos &&
         host.front() != '.' && host.front() != '-' && host.find("..") == std::string::npos;
}

std::string AlternativeNames(std::string_view service, const std::vector<std::string>& hosts) {
  std::string names = fmt::format("DNS:{0},DNS:medidesk-{0},DNS:localhost,IP:127.0.0.1,IP:::1", service);
  for (const std::string& host : hosts) {
    const std::string_view owner = rpc::ServiceOfNames({host});
    if (!owner.empty() && owner != service) continue;
    names += (IsIpAddress(host) ? ",IP:" : ",DNS:") + host;
  }
  return names;
}

template <class Write>
absl::Status WriteFile(const std::string& path, mode_t mode, Write write) {
  const Memory text(BIO_new(BIO_s_mem()));
  char* bytes = nullptr;
  if (text == nullptr || write(text.get()) != 1) return Failed();
  const long size = BIO_get_mem_data(text.get(), &bytes);
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) return Error(absl::StatusCode::kPermissionDenied, fmt::format("cannot write {}", path));
  const bool whole = fchmod(file, mode) == 0 && ::write(file, bytes, static_cast<std::size_t>(size)) == size;
  if (close(file) != 0 || !whole) {
    return Error(absl::StatusCode::kPermissionDenied, fmt::format("cannot write {}; is the disk full?", path));
  }
  return absl::OkStatus();
}

absl::Status WriteIdentity(const std::string& stem, const Identity& identity) {
  MD_RETURN_IF_ERROR(WriteFile(stem + ".key", 0600, [&](BIO* out) {
    return PEM_write_bio_PKCS8PrivateKey(out, identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  }));
  return WriteFile(stem + ".pem", 0644, [&](BIO* out) { return PEM_write_bio_X509(out, identity.certificate.get()); });
}

}  // namespace

absl::Status MakeTrialCertificates(const TrialCertificates& wanted) {
  for (const std::string& host : wanted.hosts) {
    if (!IsIpAddress(host) && !IsDnsName(host)) {
      return Error(absl::StatusCode::kInvalidArgument, "--host: expected a name in lower case or an IP address");
    }
  }
  std::error_code error;
  const std::filesystem::path folder(wanted.folder);
  std::vector<std::string_view> names = {"ca"};
  names.insert(names.end(), kCertificateNames.begin(), kCertificateNames.end());
  for (const std::string_view name : names) {
    for (const char* ending : {".pem", ".key"}) {
      const auto path = folder / (std::string(name) + ending);
      if (std::filesystem::exists(std::filesystem::symlink_status(path, error))) {
        return Error(absl::StatusCode::kAlreadyExists,
                     fmt::format("{} is there already and is not overwritten; name another folder", path.string()));
      }
    }
  }
  if (!std::filesystem::is_directory(folder, error)) {
    if (mkdir(wanted.folder.c_str(), 0700) != 0) {
      return Error(absl::StatusCode::kPermissionDenied, fmt::format("cannot make the folder {}", wanted.folder));
    }
  }
  MD_ASSIGN_OR_RETURN(const Identity authority, Make("MediDesk trial CA", "", wanted.days * 10, nullptr));
  MD_RETURN_IF_ERROR(WriteIdentity((folder / "ca").string(), authority));
  for (const std::string_view name : kCertificateNames) {
    MD_ASSIGN_OR_RETURN(const Identity identity, Make("medidesk-" + std::string(name),
                                                      AlternativeNames(name, wanted.hosts), wanted.days, &authority));
    MD_RETURN_IF_ERROR(WriteIdentity((folder / std::string(name)).string(), identity));
  }
  return absl::OkStatus();
}

}  // namespace medidesk::cli
