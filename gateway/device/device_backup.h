// A device's keys in a file: what `medidesk device export` writes and `import` reads.
//
//   | "medidesk-device-backup 1\n" | sealed as SealingKeys::SealFile() does it |
//
// Holds what a restore may keep and nothing else: sessions and pre-keys of a backup are worse than none.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "gateway/device/sealing_keys.h"
#include "gateway/wa/bytes.h"

namespace medidesk::gateway {

struct DeviceBackup {
  std::string number_name;          // the operator's name of the number
  std::int64_t create_seconds = 0;  // when, since the epoch
  wa::Bytes credentials;            // record "self" of kCredentials, open
  wa::Bytes settings;               // record "connection" of kSetting, open; may be empty

  friend bool operator==(const DeviceBackup&, const DeviceBackup&) = default;
};

inline constexpr std::size_t kMaxBackupBytes = 1u << 20;

wa::Bytes SealBackup(const DeviceBackup& backup, const SealingKeys& keys);
// INVALID_ARGUMENT for what is no such file or is damaged; FAILED_PRECONDITION for another master key.
absl::StatusOr<DeviceBackup> OpenBackup(wa::ByteView file, const SealingKeys& keys);

// The part that is sealed; apart for the fuzzer.
wa::Bytes SerializeBackup(const DeviceBackup& backup);
absl::StatusOr<DeviceBackup> ParseBackup(wa::ByteView bytes);

}  // namespace medidesk::gateway
