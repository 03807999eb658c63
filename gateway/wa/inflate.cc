#include "gateway/wa/inflate.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "base/status.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::size_t kFirstGuess = 4;  // times the compressed size

}  // namespace

absl::StatusOr<Bytes> Inflate(ByteView compressed, std::size_t max_size) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return Error(absl::StatusCode::kResourceExhausted, "inflate: out of memory");
  const struct End {
    z_stream* stream;
    ~End() { inflateEnd(stream); }
  } end{&stream};

  stream.next_in = const_cast<Bytef*>(compressed.data());
  stream.avail_in = static_cast<uInt>(compressed.size());
  // One byte beyond the limit tells "just fits" from "too large".
  Bytes out(std::min(max_size + 1, std::max<std::size_t>(compressed.size() * kFirstGuess, 256)));
  while (true) {
    stream.next_out = out.data() + stream.total_out;
    stream.avail_out = static_cast<uInt>(out.size() - stream.total_out);
    const int result = inflate(&stream, Z_NO_FLUSH);
    if (stream.total_out > max_size) {
      return Error(absl::StatusCode::kResourceExhausted, fmt::format("inflate: more than {} bytes", max_size));
    }
    if (result == Z_STREAM_END) break;
    if (result == Z_BUF_ERROR && stream.avail_out > 0) {
      return Error(absl::StatusCode::kInvalidArgument, fmt::format("inflate: cut short at byte {}", stream.total_in));
    }
    if (result != Z_OK && result != Z_BUF_ERROR) {
      return Error(absl::StatusCode::kInvalidArgument, fmt::format("inflate: broken at byte {}", stream.total_in));
    }
    if (stream.avail_out == 0) out.resize(std::min(max_size + 1, out.size() * 2));
  }
  out.resize(stream.total_out);
  return out;
}

}  // namespace medidesk::gateway::wa
