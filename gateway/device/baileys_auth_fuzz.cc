// A creds.json that anybody may have written.
#include "gateway/device/baileys_auth.h"
#include "gateway/device/device_restore.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace medidesk::gateway;
  const auto backup = ReadBaileysCredentials({reinterpret_cast<const char*>(data), size});
  if (backup.ok() && !PlanRestore(*backup, "").ok()) __builtin_trap();
  return 0;
}
