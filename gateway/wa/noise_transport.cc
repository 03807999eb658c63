#include "gateway/wa/noise_transport.h"

#include "base/status.h"
#include "gateway/wa/frame_codec.h"

namespace medidesk::gateway::wa {

absl::Status NoiseTransport::SealFrame(ByteView plaintext, Bytes& out) {
  const std::size_t start = out.size();
  out.reserve(start + kFrameHeaderSize + plaintext.size() + kNoiseTagSize);
  MD_RETURN_IF_ERROR(AppendFrameHeader(plaintext.size() + kNoiseTagSize, out));
  absl::Status sealed = write_.Seal(plaintext, {}, out);
  if (!sealed.ok()) out.resize(start);
  return sealed;
}

absl::StatusOr<Bytes> NoiseTransport::OpenFrame(ByteView payload) {
  if (!broken_.ok()) return broken_;
  auto plaintext = read_.Open(payload, {});
  if (!plaintext.ok()) broken_ = plaintext.status();
  return plaintext;
}

}  // namespace medidesk::gateway::wa
