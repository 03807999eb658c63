#include "gateway/device/device_backup.h"

#include <algorithm>

#include "base/status.h"
#include "gateway/wa/byte_reader.h"
#include "gateway/wa/byte_writer.h"
#include "gateway/wa/key_derivation.h"

namespace medidesk::gateway {
namespace {

constexpr std::string_view kMark = "medidesk-device-backup 1\n", kPurpose = "device backup 1";

absl::Status NotABackup() {
  return Error(absl::StatusCode::kInvalidArgument, "the file is no device backup, or it is damaged");
}

void WriteField(wa::ByteWriter& out, wa::ByteView field) {
  out.U32(static_cast<std::uint32_t>(field.size()));
  out.Append(field);
}

}  // namespace

wa::Bytes SerializeBackup(const DeviceBackup& backup) {
  wa::Bytes bytes;
  wa::ByteWriter out(bytes);
  const auto time = static_cast<std::uint64_t>(backup.create_seconds);
  out.U32(static_cast<std::uint32_t>(time >> 32));
  out.U32(static_cast<std::uint32_t>(time));
  WriteField(out, wa::AsBytes(backup.number_name));
  WriteField(out, backup.credentials);
  WriteField(out, backup.settings);
  return bytes;
}

absl::StatusOr<DeviceBackup> ParseBackup(wa::ByteView bytes) {
  wa::ByteReader in(bytes);
  DeviceBackup backup;
  const std::uint64_t high = in.U32();
  backup.create_seconds = static_cast<std::int64_t>(high << 32 | in.U32());
  backup.number_name = wa::ToString(in.Take(in.U32()));
  backup.credentials = wa::ToBytes(in.Take(in.U32()));
  backup.settings = wa::ToBytes(in.Take(in.U32()));
  if (in.failed() || in.remaining() != 0 || backup.number_name.size() > 64 || backup.credentials.empty())
    return NotABackup();
  return backup;
}

wa::Bytes SealBackup(const DeviceBackup& backup, const SealingKeys& keys) {
  return wa::Join({wa::AsBytes(kMark), keys.SealFile(kPurpose, SerializeBackup(backup))});
}

absl::StatusOr<DeviceBackup> OpenBackup(wa::ByteView file, const SealingKeys& keys) {
  const bool marked = file.size() > kMark.size() && file.size() <= kMaxBackupBytes &&
                      std::equal(kMark.begin(), kMark.end(), wa::AsText(file).begin());
  if (!marked) return NotABackup();
  const auto plain = keys.OpenFile(kPurpose, file.subspan(kMark.size()));
  if (absl::IsFailedPrecondition(plain.status())) return plain.status();
  if (!plain.ok()) return NotABackup();
  return ParseBackup(*plain);
}

}  // namespace medidesk::gateway
