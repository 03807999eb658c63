// Test vectors of the protocol: JSON files in gateway/wa/testdata, byte strings as hex. Tests run in the repository's
// root. A missing file, member or digit throws, which fails the test.
#pragma once

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/sim/whatsapp/bytes.h"
#include "tests/sim/whatsapp/curve.h"

namespace medidesk::whatsapp_sim::testing {

inline boost::json::value ReadVectors(const std::string& name) {
  std::ifstream file("gateway/wa/testdata/" + name);
  if (!file) throw std::runtime_error("gateway/wa/testdata/" + name + " is missing; run in the repository's root");
  std::ostringstream text;
  text << file.rdbuf();
  return boost::json::parse(text.str());
}

inline const boost::json::value& At(const boost::json::value& object, std::string_view member) {
  return object.as_object().at(boost::json::string_view(member.data(), member.size()));
}
inline std::string TextAt(const boost::json::value& object, std::string_view member) {
  return std::string(At(object, member).as_string());
}
inline Bytes BytesAt(const boost::json::value& object, std::string_view member) {
  return FromHex(TextAt(object, member)).value();
}
inline Key KeyAt(const boost::json::value& object, std::string_view member) {
  return KeyFrom(BytesAt(object, member)).value();
}
// {"private": hex, "public": hex}
inline KeyPair PairAt(const boost::json::value& object, std::string_view member) {
  return {.private_key = KeyAt(At(object, member), "private"), .public_key = KeyAt(At(object, member), "public")};
}

}  // namespace medidesk::whatsapp_sim::testing
