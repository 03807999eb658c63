#include "gateway/wa/noise_cipher.h"

#include <gtest/gtest.h>

#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::uint64_t kLast = 0xFFFFFFFF;
const Key32 kKey = {1, 2, 3};

Bytes Sealed(NoiseCipher& cipher, std::string_view plaintext, std::string_view associated = "") {
  Bytes out;
  EXPECT_TRUE(cipher.Seal(AsBytes(plaintext), AsBytes(associated), out).ok());
  return out;
}

TEST(NoiseCipher, OpensWhatItSealedInOrder) {
  NoiseCipher sender(kKey), receiver(kKey);
  for (const std::string_view text : {"one", "", "three"}) {
    const Bytes sealed = Sealed(sender, text, "with");
    EXPECT_EQ(sealed.size(), text.size() + kNoiseTagSize);
    EXPECT_EQ(*receiver.Open(sealed, AsBytes("with")), ToBytes(text));
  }
  EXPECT_EQ(sender.counter(), 3u);
  EXPECT_EQ(receiver.counter(), 3u);
}

TEST(NoiseCipher, AppendsToWhatIsThere) {
  NoiseCipher cipher(kKey);
  Bytes out = {7};
  ASSERT_TRUE(cipher.Seal(Bytes{1}, {}, out).ok());
  EXPECT_EQ(out.size(), 18u);
  EXPECT_EQ(out[0], 7);
}

TEST(NoiseCipher, UsesOneCounterForBothDirections) {
  NoiseCipher one(kKey), other(kKey);
  ASSERT_TRUE(other.Open(Sealed(one, "a"), {}).ok());
  EXPECT_EQ(*one.Open(Sealed(other, "b"), {}), ToBytes("b"));
}

TEST(NoiseCipher, RefusesAnotherOrderKeyOrAssociatedData) {
  NoiseCipher sender(kKey);
  const Bytes first = Sealed(sender, "one", "with");
  const Bytes second = Sealed(sender, "two", "with");
  NoiseCipher receiver(kKey);
  EXPECT_EQ(receiver.Open(second, AsBytes("with")).status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(receiver.Open(first, AsBytes("without")).status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(receiver.Open(first, {}).status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(NoiseCipher({}).Open(first, AsBytes("with")).status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(receiver.counter(), 0u);
  EXPECT_TRUE(receiver.Open(first, AsBytes("with")).ok());
}

TEST(NoiseCipher, RefusesEveryPrefixAndEveryFlippedBit) {
  NoiseCipher sender(kKey);
  const Bytes whole = Sealed(sender, "a message");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(NoiseCipher(kKey).Open({whole.data(), size}, {}).status().code(),
              size < kNoiseTagSize ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kUnauthenticated);
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes changed = whole;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    EXPECT_FALSE(NoiseCipher(kKey).Open(changed, {}).ok()) << bit;
  }
}

TEST(NoiseCipher, StopsBeforeTheCounterWraps) {
  NoiseCipher sender(kKey, kLast), receiver(kKey, kLast);
  const Bytes last = Sealed(sender, "last");
  Bytes out = {7};
  EXPECT_EQ(sender.Seal(Bytes{1}, {}, out).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(out, Bytes{7});
  EXPECT_TRUE(receiver.Open(last, {}).ok());
  EXPECT_EQ(receiver.Open(last, {}).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace medidesk::gateway::wa
