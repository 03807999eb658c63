// The first byte says into which pieces the rest is cut. Frames must not depend on it, and must encode to the bytes
// they came from.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "gateway/wa/frame_codec.h"

namespace {

using namespace medidesk::gateway::wa;

struct Outcome {
  std::vector<Bytes> frames;
  absl::StatusCode code = absl::StatusCode::kOk;
  bool operator==(const Outcome&) const = default;
};

Outcome Decode(ByteView stream, std::size_t piece) {
  FrameDecoder decoder(/*max_payload=*/1 << 16);
  Outcome outcome;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    decoder.Feed(stream.subspan(at, std::min(piece, stream.size() - at)));
    while (true) {
      auto frame = decoder.Next();
      outcome.code = frame.status().code();
      if (!frame.ok() || !*frame) break;
      outcome.frames.push_back(**std::move(frame));
    }
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView stream(data + 1, size - 1);
  const Outcome whole = Decode(stream, std::max<std::size_t>(stream.size(), 1));
  if (!(Decode(stream, data[0] % 32 + 1) == whole)) std::abort();
  Bytes again;
  for (const Bytes& frame : whole.frames) {
    if (!AppendFrame(frame, again).ok()) std::abort();
  }
  if (again.size() > stream.size() || !std::equal(again.begin(), again.end(), stream.begin())) std::abort();
  return 0;
}
