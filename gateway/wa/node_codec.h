// Binary nodes: the plaintext of a frame, and the Node that it means.
//
//   plaintext:  | flags, 1 byte | node |        flag 02: the rest is compressed with zlib
//   node:       | list size | tag | key, value | key, value | ... | content, if the size is even |
//   texts:      a word of the dictionary, packed digits, an address, or length and bytes
//
// Functions of their arguments alone, any thread. Errors say "node codec: what is wrong at byte N" and quote nothing;
// N counts in the plaintext, of a compressed one after decompression and without the flags.
#pragma once

#include <cstddef>

#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"
#include "gateway/wa/node.h"

namespace medidesk::gateway::wa {

inline constexpr int kMaxNodeDepth = 128;               // the root is 1; real stanzas stay below about 12
inline constexpr std::size_t kMaxInflated = 16u << 20;  // bytes
// Nodes and attributes of one stanza together: what bounds the memory of a decoded one (about 30 MB).
inline constexpr std::size_t kMaxNodeItems = 1u << 18;

// INVALID_ARGUMENT for what is malformed, RESOURCE_EXHAUSTED beyond the limits above. Bytes after the root node are
// ignored. Texts that are no UTF-8 come with U+FFFD in place of the bytes that are none; content keeps its bytes.
absl::StatusOr<Node> DecodeNode(ByteView plaintext);

// Never compressed. Attributes with an empty value are left out. INVALID_ARGUMENT for a node that has no bytes: an
// empty tag, more members than a list can count, a device that its address cannot say, too deep; or more than fits
// into a frame.
absl::StatusOr<Bytes> EncodeNode(const Node& node);

}  // namespace medidesk::gateway::wa
