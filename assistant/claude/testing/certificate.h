// Self-signed certificates for TLS tests, made anew in each run.
#pragma once

#include <string>

namespace medidesk::assistant::claude::testing {

struct TestCertificate {
  std::string certificate_pem;
  std::string key_pem;
};

// A P-256 certificate for one DNS name, valid for a day; it is its own CA.
TestCertificate MakeCertificate(const std::string& dns_name);

}  // namespace medidesk::assistant::claude::testing
