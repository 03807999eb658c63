#include "base/rpc/testing/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>

namespace medidesk::rpc::testing {
namespace {

void AddExtension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) std::abort();
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* NewCertificate(EVP_PKEY* key, const std::string& name, X509* issuer, EVP_PKEY* issuer_key, long serial) {
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate, issuer == nullptr ? subject : X509_get_subject_name(issuer));
  if (issuer == nullptr) {
    AddExtension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    AddExtension(certificate, NID_key_usage, "critical,keyCertSign");
  } else {
    AddExtension(certificate, NID_subject_alt_name, "DNS:" + name + ",DNS:localhost");
  }
  X509_sign(certificate, issuer_key, EVP_sha256());
  return certificate;
}

template <class Write>
void WritePem(const std::string& path, Write write) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr || write(file) != 1) std::abort();
  std::fclose(file);
}

}  // namespace

struct CertificateAuthority::Impl {
  std::string folder, name;
  EVP_PKEY* key;
  X509* certificate;
  long issued = 1;
};

CertificateAuthority::CertificateAuthority(std::string folder, std::string name) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = NewCertificate(key, name, nullptr, key, 1);
  impl_ = new Impl{std::move(folder), std::move(name), key, certificate};
}

CertificateAuthority::~CertificateAuthority() {
  X509_free(impl_->certificate);
  EVP_PKEY_free(impl_->key);
  delete impl_;
}

TlsFiles CertificateAuthority::Issue(const std::string& name) {
  const long serial = ++impl_->issued;
  const std::string stem = impl_->folder + "/" + impl_->name + "." + name + "." + std::to_string(serial);
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = NewCertificate(key, name, impl_->certificate, impl_->key, serial);
  TlsFiles files;
  files.ca = stem + ".ca.pem";
  files.cert = stem + ".cert.pem";
  files.key = stem + ".key.pem";
  WritePem(files.ca, [&](std::FILE* file) { return PEM_write_X509(file, impl_->certificate); });
  WritePem(files.cert, [&](std::FILE* file) { return PEM_write_X509(file, certificate); });
  WritePem(files.key,
           [&](std::FILE* file) { return PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr); });
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

}  // namespace medidesk::rpc::testing
