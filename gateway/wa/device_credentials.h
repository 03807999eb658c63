// What makes a linked device this device: its keys, and the account that vouched for it.
//
// Made before the first connection, completed by linking, and then the same for the life of the link. A value type;
// its record holds private keys and must be sealed by whoever stores it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "gateway/wa/curve25519.h"
#include "gateway/wa/jid.h"

namespace medidesk::gateway::wa {

inline constexpr std::uint8_t kKeyType = 5;  // stands before a public key where Signal wants its type

struct SignedPreKey {
  std::uint32_t id = 1;  // 1 to 2^24 - 1
  KeyPair pair;
  Signature signature{};  // by the identity key over 05 || public key

  static SignedPreKey Generate(std::uint32_t id, const KeyPair& identity, const Entropy& entropy);

  friend bool operator==(const SignedPreKey&, const SignedPreKey&) = default;
};

// The account that a device is linked to.
struct LinkedAccount {
  Bytes signed_identity;      // AdvSignedDeviceIdentity with the account's key and both signatures
  Jid jid;                    // by phone number, with our device
  Jid lid;                    // by hidden id, with our device; empty user when the server named none
  std::string platform;       // of the phone: "android", "iphone", "smba", ...; may be empty
  std::string business_name;  // may be empty

  friend bool operator==(const LinkedAccount&, const LinkedAccount&) = default;
};

struct DeviceCredentials {
  static constexpr std::uint32_t kMaxRegistrationId = 16380;

  KeyPair noise;
  KeyPair identity;
  std::uint32_t registration_id = 0;  // 1 to kMaxRegistrationId
  SignedPreKey signed_pre_key;
  Key32 adv_secret{};
  std::optional<LinkedAccount> account;  // present: linked
  std::string push_name;                 // may be empty

  static DeviceCredentials Generate(const Entropy& entropy);

  bool linked() const { return account.has_value(); }

  Bytes Serialize() const;
  // INVALID_ARGUMENT for another version, a missing or misshapen field, or a pre-key signature that does not fit:
  // what was sealed is not what was stored.
  static absl::StatusOr<DeviceCredentials> Parse(ByteView record);

  friend bool operator==(const DeviceCredentials&, const DeviceCredentials&) = default;
};

// 05 || key.
using TypedKey32 = std::array<std::uint8_t, 33>;
TypedKey32 TypedKey(const Key32& public_key);

}  // namespace medidesk::gateway::wa
