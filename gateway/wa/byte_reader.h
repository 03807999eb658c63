// Reads numbers and runs of bytes from a span. It fails once and stays failed: a read beyond the end gives zeros or
// an empty span, and the caller asks failed() at the end. Multi-byte numbers are big endian.
//
// Holds no copy; the bytes outlive it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : bytes_(bytes) {}

  bool failed() const { return failed_; }
  // Bytes read so far; after a failure, where the read that failed began.
  std::size_t offset() const { return offset_; }
  std::size_t remaining() const { return failed_ ? 0 : bytes_.size() - offset_; }

  ByteView Take(std::size_t count) {
    if (count > remaining()) {
      failed_ = true;
      return {};
    }
    const ByteView taken = bytes_.subspan(offset_, count);
    offset_ += count;
    return taken;
  }

  std::uint8_t U8() { return static_cast<std::uint8_t>(Number(1)); }
  std::uint16_t U16() { return static_cast<std::uint16_t>(Number(2)); }
  std::uint32_t U24() { return Number(3); }
  std::uint32_t U32() { return Number(4); }

 private:
  std::uint32_t Number(std::size_t size) {
    std::uint32_t number = 0;
    for (const std::uint8_t byte : Take(size)) number = number << 8 | byte;
    return number;
  }

  ByteView bytes_;
  std::size_t offset_ = 0;
  bool failed_ = false;
};

}  // namespace medidesk::gateway::wa
