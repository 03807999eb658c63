#include "gateway/wa/frame_codec.h"

#include <fmt/format.h>

#include "base/status.h"
#include "gateway/wa/byte_reader.h"
#include "gateway/wa/byte_writer.h"

namespace medidesk::gateway::wa {
namespace {

// An idle connection keeps no more memory than this for its next frames.
constexpr std::size_t kKeptCapacity = 4096;  // bytes

constexpr std::array<std::uint8_t, 4> kRoutingHeader = {0x45, 0x44, 0x00, 0x01};

}  // namespace

Bytes ConnectionHeader(ByteView routing_info) {
  Bytes header;
  ByteWriter out(header);
  if (!routing_info.empty() && routing_info.size() <= kMaxFramePayload) {
    out.Append(kRoutingHeader);
    out.U24(static_cast<std::uint32_t>(routing_info.size()));
    out.Append(routing_info);
  }
  out.Append(kConnectionHeader);
  return header;
}

absl::Status AppendFrameHeader(std::size_t payload_size, Bytes& out) {
  if (payload_size == 0 || payload_size > kMaxFramePayload) {
    return Error(
        absl::StatusCode::kInvalidArgument,
        fmt::format("frame codec: a payload of {} bytes, allowed are 1 to {}", payload_size, kMaxFramePayload));
  }
  ByteWriter(out).U24(static_cast<std::uint32_t>(payload_size));
  return absl::OkStatus();
}

absl::Status AppendFrame(ByteView payload, Bytes& out) {
  out.reserve(out.size() + kFrameHeaderSize + payload.size());
  MD_RETURN_IF_ERROR(AppendFrameHeader(payload.size(), out));
  ByteWriter(out).Append(payload);
  return absl::OkStatus();
}

void FrameDecoder::Feed(ByteView bytes) {
  if (!broken_.ok()) return;
  if (start_ > 0) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(start_));
    start_ = 0;
  }
  ByteWriter(buffer_).Append(bytes);
}

absl::StatusOr<std::optional<Bytes>> FrameDecoder::Next() {
  if (!broken_.ok()) return broken_;
  ByteReader in(ByteView(buffer_).subspan(start_));
  const std::uint32_t size = in.U24();
  if (in.failed()) return std::nullopt;
  if (size == 0 || size > max_payload_) {
    broken_ = size == 0 ? Error(absl::StatusCode::kInvalidArgument,
                                fmt::format("frame codec: an empty frame at byte {}", stream_offset_))
                        : Error(absl::StatusCode::kResourceExhausted,
                                fmt::format("frame codec: a frame of {} bytes at byte {}, the limit is {}", size,
                                            stream_offset_, max_payload_));
    buffer_ = {};
    start_ = 0;
    return broken_;
  }
  const ByteView payload = in.Take(size);
  if (in.failed()) return std::nullopt;
  Bytes frame = ToBytes(payload);
  start_ += kFrameHeaderSize + size;
  stream_offset_ += kFrameHeaderSize + size;
  if (start_ == buffer_.size()) {
    start_ = 0;
    if (buffer_.capacity() > kKeptCapacity) {
      buffer_ = {};
    } else {
      buffer_.clear();
    }
  }
  return frame;
}

}  // namespace medidesk::gateway::wa
