// What decodes must encode, and the encoding must be stable from then on.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gateway/wa/node_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace medidesk::gateway::wa;
  const auto node = DecodeNode({data, size});
  if (!node.ok()) return 0;
  const auto bytes = EncodeNode(*node);
  if (!bytes.ok()) return 0;  // an address with a device number that only text can hold
  const auto again = DecodeNode(*bytes);
  if (!again.ok() || *EncodeNode(*again) != *bytes) std::abort();
  return 0;
}
