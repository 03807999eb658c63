#include "gateway/device/device_restore.h"

#include "base/status.h"
#include "gateway/wa/device_credentials.h"
#include "gateway/wa/device_settings.h"

namespace medidesk::gateway {

using wa::RecordKind;

absl::StatusOr<DeviceRestore> PlanRestore(const DeviceBackup& backup, std::string_view present_jid) {
  MD_ASSIGN_OR_RETURN(const wa::DeviceCredentials credentials, wa::DeviceCredentials::Parse(backup.credentials));
  if (!credentials.linked()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "the backup is of a device that was never linked; link the number instead");
  }
  wa::DeviceSettings settings;
  if (!backup.settings.empty()) {
    MD_ASSIGN_OR_RETURN(settings, wa::DeviceSettings::Parse(backup.settings));
  }
  DeviceRestore restore;
  const wa::LinkedAccount& account = *credentials.account;
  restore.device_jid = account.jid.ToString();
  restore.phone = "+" + account.jid.user;
  restore.platform = account.platform;
  restore.business_name = account.business_name;
  // Credentials too: beside those of the backup, keys of a link that was under way must not be left.
  restore.drop = {RecordKind::kCredentials, RecordKind::kSession, RecordKind::kPreKey,      RecordKind::kSignedPreKey,
                  RecordKind::kSenderKey,   RecordKind::kRetry,   RecordKind::kSentContent, RecordKind::kDeviceList,
                  RecordKind::kAppState,    RecordKind::kSetting};
  if (restore.device_jid != present_jid) {
    for (const RecordKind kind : {RecordKind::kIdentity, RecordKind::kContactToken, RecordKind::kChatSetting,
                                  RecordKind::kGovernor, RecordKind::kLidMap}) {
      restore.drop.push_back(kind);
    }
  }
  restore.write.push_back(
      {.name = {.kind = RecordKind::kCredentials, .key = std::string(wa::kSelfKey)}, .value = backup.credentials});
  restore.write.push_back({.name = {.kind = RecordKind::kSetting, .key = std::string(wa::kSettingsKey)},
                           .value = settings.AfterRestore().Serialize()});
  return restore;
}

absl::StatusOr<std::vector<wa::Record>> RecordsToReseal(const SealingKeys& keys,
                                                        std::span<const SealedRecord> records) {
  std::vector<wa::Record> found;
  for (const SealedRecord& record : records) {
    if (!keys.NeedsResealing(record.sealed)) continue;
    MD_ASSIGN_OR_RETURN(wa::Bytes plain, keys.Open(record.name, record.sealed));
    found.push_back({.name = record.name.record, .value = std::move(plain)});
  }
  return found;
}

}  // namespace medidesk::gateway
