// The certificate files of mutual TLS, and which addresses may go without.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace medidesk::rpc {

// Paths of PEM files, read again now and then: a rotated certificate serves the next connection.
// Replace certificate and key together (rename a directory or a symlink), as mounted secrets do.
struct TlsFiles {
  std::string ca;    // certificates of the CAs whose peers are trusted
  std::string cert;  // our certificate, then its chain
  std::string key;   // its private key
  std::chrono::seconds reload{60};

  bool empty() const { return ca.empty() && cert.empty() && key.empty(); }
};

// INVALID_ARGUMENT names the file and what is wrong with it: absent, no PEM, key of another certificate.
absl::Status CheckTlsFiles(const TlsFiles& files);

// A loopback IP address or "localhost" with a port, or a unix socket ("unix:/path").
bool IsLocalAddress(std::string_view address);
bool IsUnixAddress(std::string_view address);

// The files have been checked. Clients show their certificate, if they have one, and check that the
// server's one names the host they call; servers check that a client's one is signed by the CA.
std::shared_ptr<grpc::ChannelCredentials> ClientTls(const TlsFiles& files);
std::shared_ptr<grpc::ServerCredentials> ServerTls(const TlsFiles& files, bool require_client_certificate);

}  // namespace medidesk::rpc
