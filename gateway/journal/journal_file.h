// An append-only file of sealed records: what has to outlive this process while the store cannot be reached.
//
//   file:    | "MDJ1", 4 bytes | generation, 8 random bytes | record | record | ...
//   record:  | length of what follows, 4 bytes, big endian | sealed, see SealingKeys |
//
// A record is sealed under its number's key; number, generation and place in the file are authenticated, so none can be
// left out, moved or taken from another file. Append returns when the bytes are on the disk. A process that ends while
// it appends leaves a torn last record: readers take it as not written. Records that one Append writes may be torn
// apart: its caller acts on them only after it has returned.
//
// One process at a time (GatewayIdentity's lock). Not thread-safe; calls block on the disk. No exceptions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/device/sealing_keys.h"
#include "gateway/wa/bytes.h"

namespace medidesk::gateway {

class JournalFile {
 public:
  static constexpr std::size_t kMaxBytes = 48u << 20;  // of the file: more than what a number lets wait for the store
  static constexpr std::size_t kMaxRecord = 4u << 20;  // bytes, open
  static constexpr std::size_t kMaxRecords = 100'000;

  // Nothing is opened yet. `path`'s folder exists.
  JournalFile(std::string path, std::string number_id, std::shared_ptr<const SealingKeys> keys,
              std::size_t max_bytes = kMaxBytes);
  ~JournalFile();
  JournalFile(const JournalFile&) = delete;
  JournalFile& operator=(const JournalFile&) = delete;

  // All of them after what was appended since the last Drop, or none. What an earlier process left is overwritten: read
  // it first. RESOURCE_EXHAUSTED when the journal would grow above its bound, or the disk is full; UNAVAILABLE when the
  // disk does not take it for another reason; INVALID_ARGUMENT for a record that is too large.
  absl::Status Append(const std::vector<wa::Bytes>& records);
  // What an earlier process left, in order; empty where there is no file. FAILED_PRECONDITION: sealed under a key that
  // is not among ours. DATA_LOSS: damaged other than by a torn end, or another number's. UNAVAILABLE: not readable now.
  absl::StatusOr<std::vector<wa::Bytes>> Read() const;
  // Nothing is in it any more, durably. Idempotent.
  absl::Status Drop();
  // Keeps what cannot be read beside it, as "<path>.unreadable", in place of what was kept before; then as after Drop.
  absl::Status SetAside();

 private:
  absl::Status Begin();
  void Close();
  absl::Status SyncFolder() const;

  const std::string path_;
  const std::string number_id_;
  const std::shared_ptr<const SealingKeys> keys_;
  const std::size_t max_bytes_;
  int file_ = -1;
  std::size_t size_ = 0;  // bytes that hold
  std::string generation_;
  std::int64_t records_ = 0;
};

// The records of a journal's bytes, as JournalFile::Read has them.
absl::StatusOr<std::vector<wa::Bytes>> ReadJournal(const std::string& number_id, const SealingKeys& keys,
                                                   wa::ByteView bytes);

}  // namespace medidesk::gateway
