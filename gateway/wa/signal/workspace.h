// The records of one number's device in memory: what Signal and the message layer work on.
//
//   Get("session 34600000002.0")   known: its bytes, or nullptr when there is no such record
//                                  not known: nullptr, and the name is noted in missing()
//   a step:  Begin -> Get, Put, Erase ... -> missing()? Rollback, load, run the step again : Keep
//   Keep     adds what the step changed to the changes that TakeChanges hands out for one commit
//
// A kind that is held whole (SetWhole) has no other records than those in memory: nobody needs to be asked for them.
//
// Records come in by Load and stay until they are old and the memory is wanted; one whose change is not stored yet is
// never let go. So a step always sees what all steps before it did, stored or not.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/wa/device_record.h"

namespace medidesk::gateway::wa {

class Workspace {
 public:
  static constexpr std::size_t kDefaultLimit = 16u << 20;  // bytes

  explicit Workspace(std::size_t limit = kDefaultLimit) : limit_(limit) {}

  // nullptr: there is none, or it is not known and now missing. Valid until the next change.
  const Bytes* Get(const RecordName& name);
  bool Knows(const RecordName& name) const { return whole_.contains(name.kind) || entries_.contains(KeyOf(name)); }
  void Put(const RecordName& name, Bytes value);
  void Erase(const RecordName& name);
  // Kept in the store alone: leaves memory as soon as it is stored. Nobody is expected to ask for it soon.
  void PutAway(const RecordName& name, Bytes value);

  // ---- Steps ----
  void Begin();
  void Rollback();
  void Keep();
  // What Get was asked for and is not known, since Begin or the last call.
  std::vector<RecordName> TakeMissing();

  // ---- The store ----
  // The answer to a look-up of `asked`: what is not in `found` does not exist. What is known already stays as it is.
  void Load(std::span<const RecordName> asked, std::vector<Record> found);
  // All records of this kind are in, and nobody but this workspace writes any. Holds until one of them is let go.
  void SetWhole(RecordKind kind) { whole_.insert(kind); }
  // How many records were let go to make room. What was read from the store before the last of them may be old.
  std::uint64_t let_go() const { return let_go_; }
  std::size_t limit() const { return limit_; }
  bool changed() const { return !changes_.empty(); }
  // What the kept steps changed since the last call; it will be stored as commit `commit`, numbers growing.
  RecordChanges TakeChanges(std::uint64_t commit);
  void OnCommitted(std::uint64_t commit);
  // Lets the records go that were used longest ago when there are too many; for the end of an input.
  void Trim();

  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::optional<Bytes> value;  // nullopt: no such record
    std::uint64_t used = 0;
    std::uint64_t commit = 0;  // the last that changes it
    bool unsent = false;       // changed since TakeChanges
    bool away = false;         // PutAway
  };

  static std::string KeyOf(const RecordName& name);
  static RecordName NameOf(const std::string& key);
  static std::size_t SizeOf(const std::string& key, const Entry& entry);
  void Set(const RecordName& name, std::optional<Bytes> value);
  void Replace(const std::string& key, std::optional<Bytes> value);

  std::size_t limit_;
  std::unordered_map<std::string, Entry> entries_;
  std::size_t bytes_ = 0;
  std::set<RecordKind> whole_;
  std::uint64_t let_go_ = 0;
  std::uint64_t clock_ = 0;
  std::uint64_t stored_ = 0;       // every commit up to here is
  std::vector<std::string> away_;  // keys of records that are to leave memory
  std::vector<RecordName> missing_;
  // What was there before the step that runs.
  struct Before {
    bool known;
    std::optional<Bytes> value;
  };
  std::map<std::string, Before> undo_;
  std::map<std::string, bool> changes_;  // kept, not taken; by key
};

}  // namespace medidesk::gateway::wa
