// Test vectors: JSON files in gateway/wa/testdata, byte strings as hex. Tests run with the repository's root as their
// working directory; a missing or broken file, member or hex digit fails the test that wanted it.
#pragma once

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "gateway/wa/bytes.h"
#include "gateway/wa/curve25519.h"

namespace medidesk::gateway::wa::testing {

inline Bytes Unhex(std::string_view hex) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    throw std::invalid_argument("not a lower-case hex digit");
  };
  if (hex.size() % 2 != 0) throw std::invalid_argument("an odd number of hex digits");
  Bytes bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return bytes;
}

inline std::string Hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const std::uint8_t byte : bytes) hex.append({kDigits[byte >> 4], kDigits[byte & 15]});
  return hex;
}

// The whole file, e.g. ReadVectors("adv.json").
inline boost::json::value ReadVectors(const std::string& name) {
  std::ifstream file("gateway/wa/testdata/" + name);
  if (!file) throw std::runtime_error("gateway/wa/testdata/" + name + " is missing; run from the repository's root");
  std::ostringstream text;
  text << file.rdbuf();
  return boost::json::parse(text.str());
}

inline std::string Text(const boost::json::value& object, std::string_view member) {
  return std::string(object.as_object().at(member).as_string());
}
inline Bytes HexMember(const boost::json::value& object, std::string_view member) {
  return Unhex(Text(object, member));
}
inline Key32 KeyMember(const boost::json::value& object, std::string_view member) {
  return ToKey(HexMember(object, member)).value();
}
// {"private": hex, "public": hex}
inline KeyPair PairMember(const boost::json::value& object, std::string_view member) {
  return KeyPair::Of(KeyMember(object.as_object().at(member), "private"));
}

}  // namespace medidesk::gateway::wa::testing
