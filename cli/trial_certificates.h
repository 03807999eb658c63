// Makes a certificate authority and one certificate a service, for trials and tests of a mesh that has no
// PKI of its own. Keys are EC P-256.
//
//   folder/ca.pem, ca.key                  the authority
//   folder/store.pem, store.key            and so for gateway, assistant, admin and cli
//
// Certificates name the service (`store`, `medidesk-store`), localhost, 127.0.0.1, ::1 and `hosts`. A host
// whose first label is another service's name is left out: certificates say who a peer is.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace medidesk::cli {

inline constexpr std::array<std::string_view, 5> kCertificateNames = {"gateway", "assistant", "store", "admin", "cli"};

struct TrialCertificates {
  std::string folder;              // made with mode 0700 when it is not there
  std::vector<std::string> hosts;  // DNS names or IP addresses
  int days = 365;                  // of the services' certificates; the authority lasts ten times as long
};

// Keys get mode 0600. ALREADY_EXISTS when one of the files is there: nothing is written then.
// INVALID_ARGUMENT for a host that is no name and no address; PERMISSION_DENIED when the folder cannot be written.
absl::Status MakeTrialCertificates(const TrialCertificates& wanted);

}  // namespace medidesk::cli
