// What the device says of itself when it connects: who it is (login), or who it would be (registration).
//
// Serialized protobufs, for the last message of the Noise handshake. Functions of their arguments; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"
#include "gateway/wa/device_credentials.h"

namespace medidesk::gateway::wa {

// The version of WhatsApp Web that we speak. The server refuses one that is too old (failure 405).
struct ClientVersion {
  std::uint32_t primary = 2;
  std::uint32_t secondary = 3000;
  std::uint32_t tertiary = 1045649367;

  std::string ToString() const;
  // "2.3000.1045649367". INVALID_ARGUMENT for anything else.
  static absl::StatusOr<ClientVersion> Parse(std::string_view text);

  friend bool operator==(const ClientVersion&, const ClientVersion&) = default;
};

// What kind of program the phone is told we are. The number is WhatsApp's PlatformType.
enum class DevicePlatform { kChrome = 1, kDesktop = 7 };

// The character that says the same in QR codes and in phone-code linking.
char PlatformId(DevicePlatform platform);

struct ClientProfile {
  ClientVersion version = {};
  std::string device_name = "MediDesk";  // what the phone's list of linked devices shows; 1 to 50 characters
  ClientVersion device_version{0, 1, 0};
  DevicePlatform platform = DevicePlatform::kChrome;
  bool lid_first = true;  // our sessions are kept under hidden ids
};

Bytes RegistrationPayload(const ClientProfile& profile, const DeviceCredentials& credentials);

// FAILED_PRECONDITION when the credentials are not linked, or their address is no phone number.
absl::StatusOr<Bytes> LoginPayload(const ClientProfile& profile, const DeviceCredentials& credentials);

}  // namespace medidesk::gateway::wa
