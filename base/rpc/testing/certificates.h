// A certificate authority for tests: makes keys and certificates as PEM files.
#pragma once

#include <string>

#include "base/rpc/tls.h"

namespace medidesk::rpc::testing {

class CertificateAuthority {
 public:
  // Writes into `folder`, which exists.
  CertificateAuthority(std::string folder, std::string name);
  ~CertificateAuthority();

  // A certificate for `name` and "localhost", valid for an hour, in new files.
  TlsFiles Issue(const std::string& name);

 private:
  struct Impl;
  Impl* impl_;
};

}  // namespace medidesk::rpc::testing
