// Appends numbers (big endian) and runs of bytes to a buffer of the caller, which outlives it.
#pragma once

#include <cstdint>

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  void U8(std::uint8_t number) { out_.push_back(number); }
  void U16(std::uint16_t number) { Number<2>(number); }
  void U24(std::uint32_t number) { Number<3>(number); }
  void U32(std::uint32_t number) { Number<4>(number); }
  void Append(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

 private:
  template <int kSize>
  void Number(std::uint32_t number) {
    for (int shift = 8 * (kSize - 1); shift >= 0; shift -= 8)
      out_.push_back(static_cast<std::uint8_t>(number >> shift));
  }

  Bytes& out_;
};

}  // namespace medidesk::gateway::wa
