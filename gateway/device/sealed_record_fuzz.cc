// Sealed bytes and backup files that anybody may have written.
#include "gateway/device/device_backup.h"
#include "gateway/device/device_restore.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace medidesk::gateway;
  static const SealingKeys keys = SealingKeys::Parse("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=", [](auto bytes) {
                                    for (auto& byte : bytes) byte = 5;
                                  }).value();
  const wa::ByteView bytes(data, size);
  const SealedName name{.number_id = "n", .record = {.kind = wa::RecordKind::kSession, .key = "k"}, .revision = 1};
  (void)keys.Open(name, bytes);
  (void)keys.NeedsResealing(bytes);
  (void)OpenBackup(bytes, keys);
  // What a holder of the key could have sealed.
  const auto again = keys.Open(name, keys.Seal(name, bytes));
  if (!again.ok() || *again != wa::ToBytes(bytes)) __builtin_trap();
  if (const auto backup = ParseBackup(bytes); backup.ok()) {
    if (SerializeBackup(*backup) != wa::ToBytes(bytes)) __builtin_trap();
    (void)PlanRestore(*backup, "");
  }
  return 0;
}
