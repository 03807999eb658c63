// What a device learns from one connection for the next: which pre-keys it has made, and the way to its server.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

struct DeviceSettings {
  std::uint32_t next_pre_key_id = 1;
  // Pre-keys from here up to next_pre_key_id are stored; the server may not have them.
  std::uint32_t first_unuploaded_pre_key_id = 1;
  bool upload_pre_keys = false;  // a full batch at the next login, whatever the server counts
  Bytes routing_info = {};       // for the connection header; may be empty

  // What may be kept of a backup: a server may have given out keys made after it, so ids jump by 100,000 and a fresh
  // batch is uploaded.
  DeviceSettings AfterRestore() const;

  Bytes Serialize() const;
  // INVALID_ARGUMENT for another version or ids out of range.
  static absl::StatusOr<DeviceSettings> Parse(ByteView record);

  friend bool operator==(const DeviceSettings&, const DeviceSettings&) = default;
};

}  // namespace medidesk::gateway::wa
