#include "tests/sim/whatsapp/bytes.h"

#include <gtest/gtest.h>

namespace medidesk::whatsapp_sim {
namespace {

TEST(Bytes, ReadsBackWhatItWritesInHexAndBase64) {
  for (std::size_t size = 0; size < 70; ++size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 37 + 200);
    EXPECT_EQ(FromHex(Hex(bytes)), bytes);
    EXPECT_EQ(FromBase64(Base64(bytes)), bytes);
  }
  EXPECT_EQ(Base64(ViewOf("ab")), "YWI=");
}

TEST(Bytes, RefusesWhatIsNoHexOrBase64) {
  EXPECT_FALSE(FromHex("0"));
  EXPECT_FALSE(FromHex("0g"));
  for (const char* text : {"YWI", "YW=I", "YWI= ", " YWI", "YW I", "Y===", "YWJ=", "====", "YW-_"}) {
    EXPECT_FALSE(FromBase64(text)) << text;
  }
}

TEST(Bytes, MakesKeysOf32BytesAlone) {
  EXPECT_FALSE(KeyFrom(Bytes(31)));
  EXPECT_TRUE(KeyFrom(Bytes(32)));
  EXPECT_FALSE(KeyFrom(Bytes(33)));
}

}  // namespace
}  // namespace medidesk::whatsapp_sim
