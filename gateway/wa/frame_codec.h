// Cuts the byte stream of one connection into WhatsApp frames, and makes frames.
//
//   stream:  [header, client to server only, once] frame frame ...
//   frame:   | length, 3 bytes, big endian | payload, `length` bytes |
//   header:  [ED 00 01 | length, 3 bytes | routing info] WA 06 03
//
// The length is neither encrypted nor authenticated. WebSocket messages are no borders: frames may share one or span
// several.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

inline constexpr std::size_t kFrameHeaderSize = 3;               // bytes
inline constexpr std::size_t kMaxFramePayload = (1u << 24) - 1;  // bytes; what the length can say

// "WA", the protocol's number and the dictionary's version: the stream's first bytes and the prologue of its Noise
// handshake.
inline constexpr std::array<std::uint8_t, 4> kConnectionHeader = {0x57, 0x41, 0x06, 0x03};

// What stands before the first frame. `routing_info` is what the server gave on an earlier connection; it is left out
// when empty or too long for its length.
Bytes ConnectionHeader(ByteView routing_info);

// Appends the length of a payload that the caller appends next. INVALID_ARGUMENT, and nothing appended, when it is 0
// or above kMaxFramePayload.
absl::Status AppendFrameHeader(std::size_t payload_size, Bytes& out);

// Appends a whole frame.
absl::Status AppendFrame(ByteView payload, Bytes& out);

// Sans-I/O: the caller feeds what the socket gave and asks for frames until there is none. Holds at most one frame
// and what was fed last. Not thread-safe; one decoder belongs to one connection.
class FrameDecoder {
 public:
  explicit FrameDecoder(std::size_t max_payload = kMaxFramePayload) : max_payload_(max_payload) {}

  // Takes a copy of `bytes`.
  void Feed(ByteView bytes);

  // The payload of the next whole frame; nullopt when more bytes are needed. INVALID_ARGUMENT for a frame of no
  // bytes, RESOURCE_EXHAUSTED for one above the limit, on this and every later call: the stream is broken, close it.
  absl::StatusOr<std::optional<Bytes>> Next();

  // Bytes fed and not yet returned.
  std::size_t buffered() const { return buffer_.size() - start_; }

 private:
  std::size_t max_payload_;
  Bytes buffer_;
  std::size_t start_ = 0;            // of the next frame in buffer_
  std::uint64_t stream_offset_ = 0;  // of the next frame in the stream
  absl::Status broken_;
};

}  // namespace medidesk::gateway::wa
