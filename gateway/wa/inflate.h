// Undoes zlib's compression (RFC 1950), up to a limit.
#pragma once

#include <cstddef>

#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

// INVALID_ARGUMENT for data that is broken or cut short, RESOURCE_EXHAUSTED when the result would be larger than
// `max_size` bytes; memory never grows beyond that. What follows the end of the compressed data is ignored.
absl::StatusOr<Bytes> Inflate(ByteView compressed, std::size_t max_size);

}  // namespace medidesk::gateway::wa
