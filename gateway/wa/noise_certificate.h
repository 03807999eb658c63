// Whether the server's key is WhatsApp's: the certificate chain inside the ServerHello.
//
//   root key (known beforehand)  signs  intermediate {serial, issuer 0, key}
//   intermediate key             signs  leaf {serial, issuer = intermediate's serial, key = the server's key}
//
// A function of its arguments alone; any thread. The time is an argument, as is the root.
#pragma once

#include <chrono>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"
#include "gateway/wa/curve25519.h"

namespace medidesk::gateway::wa {

// The root of WhatsApp's own servers.
inline constexpr Key32 kWhatsAppRootKey = {0x14, 0x23, 0x75, 0x57, 0x4d, 0x0a, 0x58, 0x71, 0x66, 0xaa, 0xe7,
                                           0x1e, 0xbe, 0x51, 0x64, 0x37, 0xc4, 0xa2, 0x8b, 0x73, 0xe3, 0x69,
                                           0x5c, 0x6c, 0xe1, 0xf7, 0xf9, 0x54, 0x5d, 0xa8, 0xee, 0x6b};

struct NoiseTrust {
  Key32 root = kWhatsAppRootKey;
  std::chrono::sys_seconds now;
  // Accept a chain outside its dates, for a machine whose clock cannot be set; everything else stays required.
  bool ignore_dates = false;
};

struct NoiseVerdict {
  // OK, or what is wrong with the dates although they are ignored: worth a warning.
  absl::Status dates;
};

// INVALID_ARGUMENT for what is no chain; PERMISSION_DENIED for a chain that is not signed down from the root or that
// vouches for another key: somebody else's server; FAILED_PRECONDITION for a good chain outside its dates, with a text
// that names the dates and the clock.
absl::StatusOr<NoiseVerdict> VerifyNoiseCertificate(ByteView chain, const Key32& server_key, const NoiseTrust& trust);

}  // namespace medidesk::gateway::wa
