// What a restore keeps and drops: a backup must not bring old ratchets back to life.
//
// Kept: identity, Noise and ADV keys, the account. Dropped: everything that moves on with use; pre-key ids jump by
// 100,000, because keys made after the backup may still be given out, and a fresh batch is uploaded at the next login.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "gateway/device/device_backup.h"
#include "gateway/wa/device_record.h"

namespace medidesk::gateway {

struct DeviceRestore {
  std::vector<wa::RecordKind> drop;  // all records of these kinds, first
  std::vector<wa::Record> write;     // then these, open
  std::string phone;                 // E.164 with +
  std::string device_jid;
  std::string platform;       // of the phone; may be empty
  std::string business_name;  // may be empty
};

// `present_jid`: the device that the number has now, empty when it has none; another device's records are dropped
// whole. INVALID_ARGUMENT for a backup whose keys cannot be read or belong to no link.
absl::StatusOr<DeviceRestore> PlanRestore(const DeviceBackup& backup, std::string_view present_jid);

// One record as the store has it.
struct SealedRecord {
  SealedName name;
  wa::Bytes sealed;
};
// Of these, what an older master key has sealed, open: put them again and the new one has. One step of the walk
// after a rotation, over each page of each kind. Errors are SealingKeys::Open()'s.
absl::StatusOr<std::vector<wa::Record>> RecordsToReseal(const SealingKeys& keys, std::span<const SealedRecord> records);

}  // namespace medidesk::gateway
