// The `creds.json` of a Baileys multi-file auth state (the original bot's `auth_info/` folder) as device credentials.
//
// Taken: the Noise, identity and signed pre-key pairs, the registration id, the ADV secret, the account with its
// signature, platform and push name, the next pre-key id. Not taken: sessions, pre-keys, sender keys and app state,
// which another program has moved on with; the phone sends what it cannot be read with once more.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"

#include "gateway/device/device_backup.h"

namespace medidesk::gateway {

inline constexpr std::size_t kMaxBaileysBytes = 1u << 20;

// A backup without a name, as though `device export` had written it. INVALID_ARGUMENT for what is no such file, lacks a
// key, or holds keys that do not belong together; FAILED_PRECONDITION for one that was never linked. Never quotes it.
absl::StatusOr<DeviceBackup> ReadBaileysCredentials(std::string_view json);

}  // namespace medidesk::gateway
