// Any bytes as a hospital file: never a crash, and what is accepted is written and read back as the same facts.
#include <google/protobuf/util/message_differencer.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "store/knowledge/hospital_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using medidesk::store::ParseHospitalFile;
  const auto facts = ParseHospitalFile({reinterpret_cast<const char*>(data), size}, "fuzz.yaml");
  if (!facts.ok()) return 0;
  const auto again = ParseHospitalFile(medidesk::store::WriteHospitalFile(*facts), "again.yaml");
  if (!again.ok() || !google::protobuf::util::MessageDifferencer::Equals(*facts, *again)) std::abort();
  return 0;
}
