#include "gateway/wa/pre_key_stock.h"

#include <algorithm>
#include <string>
#include <utility>

#include "gateway/wa/iq_pre_keys.h"

namespace medidesk::gateway::wa {
namespace {

Record SettingsRecord(const DeviceSettings& settings) {
  return {.name = {.kind = RecordKind::kSetting, .key = std::string(kSettingsKey)}, .value = settings.Serialize()};
}

}  // namespace

void PreKeyStock::Reset() {
  ++epoch_;
  busy_ = false;
  then_ = nullptr;
  retry_at_.reset();
  retry_delay_ = kFirstRetry;
}

void PreKeyStock::Check(std::function<void()> then) {
  if (busy_) {
    if (then) then();
    return;
  }
  busy_ = true;
  then_ = std::move(then);
  host_.Ask(PreKeyCountRequest{}, Current([this](absl::StatusOr<std::uint64_t> count) {
              if (!count.ok()) return Finish(false);
              Upload(settings_.upload_pre_keys ? kFirstPreKeyBatch : PreKeysWanted(*count));
            }),
            kLimit);
}

void PreKeyStock::OnServerCount(std::uint64_t count) {
  if (busy_ || PreKeysWanted(count) == 0) return;
  busy_ = true;
  Upload(PreKeysWanted(count));
}

void PreKeyStock::OnTime() {
  if (!retry_at_ || host_.now().steady < *retry_at_) return;
  retry_at_.reset();
  Check(nullptr);
}

void PreKeyStock::Upload(std::uint32_t wanted) {
  if (wanted == 0) return Finish(true);
  const std::uint32_t stored = PreKeyIdsBetween(settings_.first_unuploaded_pre_key_id, settings_.next_pre_key_id);
  if (stored > 0 && stored <= kFirstPreKeyBatch) {
    LoadStored();
  } else {
    Make(wanted);
  }
}

void PreKeyStock::Make(std::uint32_t wanted) {
  std::vector<PreKey> keys = GeneratePreKeys(settings_.next_pre_key_id, wanted, host_.entropy());
  settings_.first_unuploaded_pre_key_id = settings_.next_pre_key_id;
  settings_.next_pre_key_id = PreKeyIdAfter(settings_.next_pre_key_id, wanted);
  // The settings name the keys, so they come last: keys that nothing names are made again, under the same ids.
  RecordChanges changes;
  for (const PreKey& key : keys) {
    changes.puts.push_back(key.ToRecord());
    if (changes.puts.size() + 1 >= kMaxChangesPerCommit) {
      host_.CommitThen(std::exchange(changes, {}), std::nullopt, [](const absl::Status&) {});
    }
  }
  changes.puts.push_back(SettingsRecord(settings_));
  host_.CommitThen(std::move(changes), std::nullopt,
                   Current([this, keys = std::move(keys)](const absl::Status& status) {
                     if (!status.ok()) return Finish(false);
                     Send(keys);
                   }));
}

void PreKeyStock::LoadStored() {
  std::vector<RecordName> names;
  const std::uint32_t count = PreKeyIdsBetween(settings_.first_unuploaded_pre_key_id, settings_.next_pre_key_id);
  for (std::uint32_t i = 0; i < count; ++i) {
    names.push_back(PreKeyName(PreKeyIdAfter(settings_.first_unuploaded_pre_key_id, i)));
  }
  host_.LoadThen(std::move(names), Current([this](const absl::StatusOr<std::vector<Record>>& records) {
                   if (!records.ok()) return Finish(false);
                   std::vector<PreKey> keys;
                   for (const Record& record : *records) {
                     if (auto key = PreKey::Parse(record.value); key.ok()) keys.push_back(*std::move(key));
                   }
                   // Some were used up meanwhile, so some had arrived: what is left can go again.
                   if (keys.empty()) return Make(kFirstPreKeyBatch);
                   Send(std::move(keys));
                 }));
}

void PreKeyStock::Send(std::vector<PreKey> keys) {
  const PreKeyUploadRequest request{credentials_.registration_id, credentials_.identity.public_key,
                                    credentials_.signed_pre_key, keys};
  host_.Ask(request, Current([this](const absl::StatusOr<PreKeyUploadRequest::Response>& answer) {
              if (!answer.ok()) return Finish(false);
              settings_.first_unuploaded_pre_key_id = settings_.next_pre_key_id;
              settings_.upload_pre_keys = false;
              host_.CommitThen({.puts = {SettingsRecord(settings_)}}, std::nullopt, [](const absl::Status&) {});
              Finish(true);
            }),
            kLimit);
}

void PreKeyStock::Finish(bool ok) {
  busy_ = false;
  if (ok) {
    retry_delay_ = kFirstRetry;
  } else {
    retry_at_ = host_.now().steady + retry_delay_;
    retry_delay_ = std::min(retry_delay_ * 2, kMaxRetry);
  }
  if (const auto then = std::exchange(then_, nullptr)) then();
}

}  // namespace medidesk::gateway::wa
