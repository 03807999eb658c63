// One-time pre-keys: what lets a patient's phone write to a device that is not there.
//
// Ids count from 1 and go on from 1 after 2^24 - 1. Records are libsignal-protocol-c's own, so that its stores read
// them as they are.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "gateway/wa/device_credentials.h"
#include "gateway/wa/device_record.h"

namespace medidesk::gateway::wa {

inline constexpr std::uint32_t kMaxPreKeyId = 0xFFFFFF;
inline constexpr std::uint32_t kFirstPreKeyBatch = 812;  // the server has none
inline constexpr std::uint32_t kPreKeyBatch = 50;        // the server has few
inline constexpr std::uint32_t kLowPreKeyCount = 5;      // below it the server has few

// How many keys to upload when the server has `server_count`.
std::uint32_t PreKeysWanted(std::uint64_t server_count);

// The id `steps` after `id`.
std::uint32_t PreKeyIdAfter(std::uint32_t id, std::uint32_t steps);
// How many ids from `first` up to, not including, `end`.
std::uint32_t PreKeyIdsBetween(std::uint32_t first, std::uint32_t end);

struct PreKey {
  std::uint32_t id = 0;
  KeyPair pair;

  Record ToRecord() const;
  // INVALID_ARGUMENT for what is no record of a pre-key.
  static absl::StatusOr<PreKey> Parse(ByteView record);

  friend bool operator==(const PreKey&, const PreKey&) = default;
};

RecordName PreKeyName(std::uint32_t id);

// `count` keys with ids from `first_id` on.
std::vector<PreKey> GeneratePreKeys(std::uint32_t first_id, std::uint32_t count, const Entropy& entropy);

// The record from which libsignal's store serves the signed pre-key.
Record SignedPreKeyRecord(const SignedPreKey& key, std::chrono::system_clock::time_point made);

}  // namespace medidesk::gateway::wa
