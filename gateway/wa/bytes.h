// Bytes of the wire, and the two crossings between them and std::string.
//
// Protobuf and store records keep bytes in std::string; codecs and OpenSSL speak uint8_t.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace medidesk::gateway::wa {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

// The same memory seen the other way; nothing is copied.
inline ByteView AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Copies.
inline Bytes ToBytes(ByteView bytes) { return {bytes.begin(), bytes.end()}; }
inline Bytes ToBytes(std::string_view text) { return ToBytes(AsBytes(text)); }
inline std::string ToString(ByteView bytes) { return std::string(AsText(bytes)); }

}  // namespace medidesk::gateway::wa
