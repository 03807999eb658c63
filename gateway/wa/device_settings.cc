#include "gateway/wa/device_settings.h"

#include "base/status.h"
#include "gateway/wa/pre_keys.h"
#include "whatsapp/device_record.pb.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kRestoreGap = 100'000;

}  // namespace

DeviceSettings DeviceSettings::AfterRestore() const {
  DeviceSettings settings = *this;
  settings.next_pre_key_id = PreKeyIdAfter(next_pre_key_id, kRestoreGap);
  settings.first_unuploaded_pre_key_id = settings.next_pre_key_id;
  settings.upload_pre_keys = true;
  return settings;
}

Bytes DeviceSettings::Serialize() const {
  whatsapp::DeviceSettingsRecord record;
  record.set_version(kVersion);
  record.set_next_pre_key_id(next_pre_key_id);
  record.set_first_unuploaded_pre_key_id(first_unuploaded_pre_key_id);
  record.set_upload_pre_keys(upload_pre_keys);
  record.set_routing_info(ToString(routing_info));
  return ToBytes(record.SerializeAsString());
}

absl::StatusOr<DeviceSettings> DeviceSettings::Parse(ByteView bytes) {
  whatsapp::DeviceSettingsRecord record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || record.version() != kVersion) {
    return Error(absl::StatusCode::kInvalidArgument, "stored device settings: not readable by this version");
  }
  const auto is_id = [](std::uint32_t id) { return id >= 1 && id <= kMaxPreKeyId; };
  if (!is_id(record.next_pre_key_id()) || !is_id(record.first_unuploaded_pre_key_id())) {
    return Error(absl::StatusCode::kInvalidArgument, "stored device settings: a pre-key id is out of range");
  }
  return DeviceSettings{.next_pre_key_id = record.next_pre_key_id(),
                        .first_unuploaded_pre_key_id = record.first_unuploaded_pre_key_id(),
                        .upload_pre_keys = record.upload_pre_keys(),
                        .routing_info = ToBytes(record.routing_info())};
}

}  // namespace medidesk::gateway::wa
