#include "gateway/wa/signal/workspace.h"

#include <algorithm>
#include <utility>

namespace medidesk::gateway::wa {
namespace {

constexpr std::size_t kEntryOverhead = 160;  // bytes of map node, key and bookkeeping, about

}  // namespace

std::string Workspace::KeyOf(const RecordName& name) {
  std::string key(1, static_cast<char>(name.kind));
  key += name.key;
  return key;
}

RecordName Workspace::NameOf(const std::string& key) {
  return {.kind = static_cast<RecordKind>(key[0]), .key = key.substr(1)};
}

std::size_t Workspace::SizeOf(const std::string& key, const Entry& entry) {
  return kEntryOverhead + key.size() + (entry.value ? entry.value->size() : 0);
}

const Bytes* Workspace::Get(const RecordName& name) {
  const auto found = entries_.find(KeyOf(name));
  if (found == entries_.end()) {
    if (whole_.contains(name.kind)) return nullptr;
    if (std::find(missing_.begin(), missing_.end(), name) == missing_.end()) missing_.push_back(name);
    return nullptr;
  }
  found->second.used = ++clock_;
  return found->second.value ? &*found->second.value : nullptr;
}

void Workspace::Replace(const std::string& key, std::optional<Bytes> value) {
  const auto [found, added] = entries_.try_emplace(key);
  if (!added) bytes_ -= SizeOf(key, found->second);
  found->second.value = std::move(value);
  found->second.used = ++clock_;
  bytes_ += SizeOf(key, found->second);
}

void Workspace::Set(const RecordName& name, std::optional<Bytes> value) {
  const std::string key = KeyOf(name);
  const auto found = entries_.find(key);
  if (!undo_.contains(key)) {
    const bool known = found != entries_.end();
    undo_[key] = {.known = known, .value = known ? found->second.value : std::nullopt};
  }
  Replace(key, std::move(value));
}

void Workspace::Put(const RecordName& name, Bytes value) { Set(name, std::move(value)); }
void Workspace::Erase(const RecordName& name) { Set(name, std::nullopt); }

void Workspace::PutAway(const RecordName& name, Bytes value) {
  Put(name, std::move(value));
  std::string key = KeyOf(name);
  if (!std::exchange(entries_[key].away, true)) away_.push_back(std::move(key));
}

void Workspace::Begin() {
  undo_.clear();
  missing_.clear();
}

void Workspace::Rollback() {
  for (auto& [key, before] : undo_) {
    if (before.known) {
      Replace(key, std::move(before.value));
    } else if (const auto found = entries_.find(key); found != entries_.end()) {
      bytes_ -= SizeOf(found->first, found->second);
      entries_.erase(found);
    }
  }
  undo_.clear();
}

void Workspace::Keep() {
  for (const auto& [key, before] : undo_) {
    Entry& entry = entries_[key];
    if (before.known && entry.value == before.value && !entry.unsent) continue;
    entry.unsent = true;
    changes_[key] = true;
  }
  undo_.clear();
}

std::vector<RecordName> Workspace::TakeMissing() { return std::exchange(missing_, {}); }

void Workspace::Load(std::span<const RecordName> asked, std::vector<Record> found) {
  for (Record& record : found) {
    const std::string key = KeyOf(record.name);
    if (!entries_.contains(key)) Replace(key, std::move(record.value));
  }
  for (const RecordName& name : asked) {
    const std::string key = KeyOf(name);
    if (!entries_.contains(key)) Replace(key, std::nullopt);
  }
}

RecordChanges Workspace::TakeChanges(std::uint64_t commit) {
  RecordChanges changes;
  for (const auto& [key, changed] : changes_) {
    Entry& entry = entries_[key];
    entry.unsent = false;
    entry.commit = commit;
    if (entry.value) {
      changes.puts.push_back({.name = NameOf(key), .value = *entry.value});
    } else {
      changes.deletes.push_back(NameOf(key));
    }
  }
  changes_.clear();
  return changes;
}

void Workspace::OnCommitted(std::uint64_t commit) {
  stored_ = std::max(stored_, commit);
  std::erase_if(away_, [this](const std::string& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return true;
    if (found->second.unsent || found->second.commit > stored_ || undo_.contains(key)) return false;
    bytes_ -= SizeOf(found->first, found->second);
    entries_.erase(found);
    return true;
  });
}

void Workspace::Trim() {
  if (bytes_ <= limit_) return;
  std::vector<std::pair<std::uint64_t, const std::string*>> old;
  for (const auto& [key, entry] : entries_) {
    if (!entry.unsent && entry.commit <= stored_ && !undo_.contains(key)) old.emplace_back(entry.used, &key);
  }
  std::sort(old.begin(), old.end());
  for (const auto& [used, key] : old) {
    if (bytes_ <= limit_ / 4 * 3) break;
    const auto found = entries_.find(*key);
    bytes_ -= SizeOf(found->first, found->second);
    if (found->second.value) whole_.erase(NameOf(*key).kind);
    ++let_go_;
    entries_.erase(found);
  }
}

}  // namespace medidesk::gateway::wa
