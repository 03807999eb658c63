#include "tests/sim/whatsapp/noise_responder.h"

#include <gtest/gtest.h>

#include "tests/sim/whatsapp/certificates.h"
#include "tests/sim/whatsapp/testing/vectors.h"

namespace medidesk::whatsapp_sim {
namespace {

using testing::At;
using testing::BytesAt;
using testing::KeyAt;
using testing::PairAt;
using testing::TextAt;

class NoiseResponderTest : public ::testing::Test {
 protected:
  NoiseResponder::Keys Keys() const {
    return {.ephemeral = PairAt(At(vectors, "keys"), "server_ephemeral"),
            .server = PairAt(At(vectors, "keys"), "server_static"),
            .chain = BytesAt(At(vectors, "cert"), "chain")};
  }
  const boost::json::value vectors = testing::ReadVectors("noise.json");
};

TEST_F(NoiseResponderTest, PlaysTheVectorByteForByte) {
  NoiseResponder noise(Keys());
  EXPECT_EQ(Hex(noise.OnClientHello(BytesAt(vectors, "client_hello_proto")).value()),
            TextAt(vectors, "server_hello_proto"));
  const auto client = noise.OnClientFinish(BytesAt(vectors, "client_finish_proto"));
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(client->noise_key, PairAt(At(vectors, "keys"), "client_static").public_key);
  EXPECT_EQ(Hex(client->payload), TextAt(vectors, "client_payload"));

  NoiseTransport transport = noise.Split();
  for (const auto& frame : At(vectors, "transport").as_array()) {
    const Bytes wire = BytesAt(frame, "wire"), plain = BytesAt(frame, "plaintext");
    if (TextAt(frame, "dir") == "c2s") {
      EXPECT_EQ(transport.from_client.Open(View(wire).subspan(3)), plain);
    } else {
      Bytes sealed;
      transport.to_client.Seal(plain, sealed);
      EXPECT_EQ(Hex(sealed), Hex(View(wire).subspan(3)));
    }
  }
}

TEST_F(NoiseResponderTest, RefusesEveryPrefixAndEveryTurnedBitOfTheClientsFinish) {
  const Bytes hello = BytesAt(vectors, "client_hello_proto"), finish = BytesAt(vectors, "client_finish_proto");
  for (std::size_t size = 0; size < finish.size(); size += 7) {
    NoiseResponder noise(Keys());
    ASSERT_TRUE(noise.OnClientHello(hello).ok());
    EXPECT_FALSE(noise.OnClientFinish(View(finish).first(size)).ok()) << "prefix of " << size;
    Bytes turned = finish;
    turned[size] ^= 1;
    NoiseResponder again(Keys());
    ASSERT_TRUE(again.OnClientHello(hello).ok());
    EXPECT_FALSE(again.OnClientFinish(turned).ok()) << "bit of byte " << size;
  }
}

TEST_F(NoiseResponderTest, RefusesAHelloWithoutAnEphemeralKey) {
  for (const char* hex : {"", "1200", "ff", "12020a00"}) {
    NoiseResponder noise(Keys());
    EXPECT_FALSE(noise.OnClientHello(FromHex(hex).value()).ok()) << hex;
  }
}

TEST_F(NoiseResponderTest, DoesNotOpenAFrameTwice) {
  GcmStream out(Key{1}), in(Key{1});
  Bytes sealed;
  out.Seal(ViewOf("hello"), sealed);
  EXPECT_TRUE(in.Open(sealed));
  EXPECT_FALSE(in.Open(sealed));
}

}  // namespace
}  // namespace medidesk::whatsapp_sim
