#include "gateway/wa/inflate.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace medidesk::gateway::wa {
namespace {

Bytes Deflate(const Bytes& plain) {
  uLongf size = compressBound(plain.size());
  Bytes compressed(size);
  EXPECT_EQ(compress(compressed.data(), &size, plain.data(), plain.size()), Z_OK);
  compressed.resize(size);
  return compressed;
}

Bytes Mixed(std::size_t size) {
  Bytes bytes(size);
  std::uint32_t state = 1;
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

TEST(Inflate, GivesBackWhatWasCompressed) {
  for (const std::size_t size : {0, 1, 255, 256, 257, 100'000}) {
    EXPECT_EQ(*Inflate(Deflate(Mixed(size)), 100'000), Mixed(size)) << size;
    EXPECT_EQ(*Inflate(Deflate(Bytes(size, 'a')), 100'000), Bytes(size, 'a')) << size;
  }
}

TEST(Inflate, StopsAtTheLimit) {
  const Bytes bomb = Deflate(Bytes(1'000'000, 0));
  ASSERT_LT(bomb.size(), 2000u);
  EXPECT_TRUE(Inflate(bomb, 1'000'000).ok());
  EXPECT_EQ(Inflate(bomb, 999'999).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Inflate(bomb, 0).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(Inflate, RefusesEveryPrefix) {
  const Bytes whole = Deflate(Mixed(300));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Inflate({whole.data(), size}, 1000).status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST(Inflate, RefusesBrokenDataAndIgnoresWhatFollows) {
  Bytes data = Deflate(Mixed(300));
  data.push_back(7);
  EXPECT_EQ(*Inflate(data, 1000), Mixed(300));
  data[data.size() - 2] ^= 1;  // its checksum
  EXPECT_EQ(Inflate(data, 1000).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(Inflate(Bytes{0xDE, 0xAD, 0xBE, 0xEF, 0}, 1000).ok());
}

}  // namespace
}  // namespace medidesk::gateway::wa
