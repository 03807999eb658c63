// The byte types of this folder, and their text forms.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace medidesk::whatsapp_sim {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;
using Key = std::array<std::uint8_t, 32>;

inline View ViewOf(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }
inline std::string_view TextOf(View bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// The parts one after another.
Bytes Join(std::initializer_list<View> parts);

// nullopt unless `bytes` has 32 bytes.
std::optional<Key> KeyFrom(View bytes);

std::string Hex(View bytes);                             // lower case
std::optional<Bytes> FromHex(std::string_view text);     // either case
std::string Base64(View bytes);                          // standard alphabet, padded
std::optional<Bytes> FromBase64(std::string_view text);  // the same, strictly

}  // namespace medidesk::whatsapp_sim
