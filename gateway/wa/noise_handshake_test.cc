#include "gateway/wa/noise_handshake.h"

#include <gtest/gtest.h>

#include "base/status.h"
#include "gateway/wa/frame_codec.h"
#include "gateway/wa/testing/noise_server.h"
#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa {
namespace {

using testing::FixedPair;
using testing::Hex;
using testing::HexMember;
using testing::KeyMember;
using testing::MakeChain;
using testing::NoiseServer;
using testing::PairMember;
using testing::ReadVectors;

// The handshake of the vector, its client side.
struct Vector {
  boost::json::value file = ReadVectors("noise.json");
  NoiseHandshake client{PairMember(file.at("keys"), "client_ephemeral"), PairMember(file.at("keys"), "client_static")};
  NoiseTrust trust{.root = KeyMember(file.at("keys").at("root"), "public"),
                   .now = std::chrono::sys_seconds(std::chrono::seconds(1'750'000'000))};
  Bytes server_hello = HexMember(file, "server_hello_proto");
  Bytes payload = HexMember(file, "client_payload");
};

// One against our own server.
struct Sample {
  NoiseHandshake client{FixedPair(20), FixedPair(21)};
  NoiseServer server;
  NoiseTrust trust{.root = FixedPair(1).public_key, .now = std::chrono::sys_seconds(std::chrono::seconds(3'000))};

  absl::StatusOr<NoiseHandshake::Result> Run(const std::string& chain) {
    return client.ReadServerHello(server.Answer(client.ClientHello(), AsBytes(chain)), AsBytes("payload"), trust);
  }
};

TEST(NoiseHandshake, SendsAndReadsTheVectorByteByByte) {
  Vector v;
  EXPECT_EQ(Hex(v.client.ClientHello()), testing::Text(v.file, "client_hello_proto"));
  for (const bool routed : {false, true}) {
    Bytes first = ConnectionHeader(routed ? HexMember(v.file, "routing_info") : Bytes());
    ASSERT_TRUE(AppendFrame(v.client.ClientHello(), first).ok());
    EXPECT_EQ(Hex(first), testing::Text(v.file, routed ? "wire_client_first_with_ed" : "wire_client_first"));
  }
  FrameDecoder decoder;
  decoder.Feed(HexMember(v.file, "wire_server_hello"));
  auto result = v.client.ReadServerHello(**decoder.Next(), v.payload, v.trust);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->dates.ok());
  EXPECT_EQ(Hex(result->client_finish), testing::Text(v.file, "client_finish_proto"));
  Bytes finish;
  ASSERT_TRUE(AppendFrame(result->client_finish, finish).ok());
  EXPECT_EQ(Hex(finish), testing::Text(v.file, "wire_client_finish"));
  for (const auto& frame : v.file.at("transport").as_array()) {
    const Bytes wire = HexMember(frame, "wire");
    if (testing::Text(frame, "dir") == "c2s") {
      Bytes sealed;
      ASSERT_TRUE(result->transport.SealFrame(HexMember(frame, "plaintext"), sealed).ok());
      EXPECT_EQ(Hex(sealed), Hex(wire));
    } else {
      EXPECT_EQ(*result->transport.OpenFrame(ByteView(wire).subspan(kFrameHeaderSize)), HexMember(frame, "plaintext"));
    }
  }
}

TEST(NoiseHandshake, AgreesWithAServer) {
  Sample s;
  auto result = s.Run(MakeChain({}).SerializeAsString());
  ASSERT_TRUE(result.ok()) << result.status();
  auto client = s.server.ReadFinish(result->client_finish);
  EXPECT_EQ(client.noise_key, ToBytes(ByteView(FixedPair(21).public_key)));
  EXPECT_EQ(client.payload, ToBytes("payload"));
  Bytes wire;
  ASSERT_TRUE(client.transport.SealFrame(Bytes{1, 2}, wire).ok());
  EXPECT_EQ(*result->transport.OpenFrame(ByteView(wire).subspan(kFrameHeaderSize)), (Bytes{1, 2}));
}

TEST(NoiseHandshake, RefusesEveryPrefixOfAServerHello) {
  Vector sample;
  for (std::size_t size = 0; size < sample.server_hello.size(); ++size) {
    Vector v;
    EXPECT_FALSE(v.client.ReadServerHello({v.server_hello.data(), size}, v.payload, v.trust).ok()) << size;
  }
}

TEST(NoiseHandshake, RefusesEveryChangedByteOfAServerHello) {
  const boost::json::value file = ReadVectors("noise.json");
  const KeyPair ephemeral = PairMember(file.at("keys"), "client_ephemeral");
  const Vector v;
  for (std::size_t at = 0; at < v.server_hello.size(); ++at) {
    for (const int bit : {0x01, 0x80}) {
      Bytes changed = v.server_hello;
      changed[at] ^= static_cast<std::uint8_t>(bit);
      NoiseHandshake client(ephemeral, FixedPair(21));
      EXPECT_FALSE(client.ReadServerHello(changed, v.payload, v.trust).ok()) << at;
    }
  }
}

TEST(NoiseHandshake, RefusesWhatIsNoServerHello) {
  for (const auto hex : {"", "12220a00", "ffff", "1a00", "1a020a00"}) {
    Vector v;
    EXPECT_EQ(v.client.ReadServerHello(testing::Unhex(hex), v.payload, v.trust).status().code(),
              absl::StatusCode::kInvalidArgument)
        << hex;
  }
}

TEST(NoiseHandshake, RefusesAnEphemeralKeyThatGivesNoSecret) {
  whatsapp::HandshakeMessage message;
  message.mutable_server_hello()->set_ephemeral(std::string(32, '\0'));
  message.mutable_server_hello()->set_static_(std::string(48, 'x'));
  message.mutable_server_hello()->set_payload(std::string(48, 'x'));
  Vector v;
  const auto result = v.client.ReadServerHello(AsBytes(message.SerializeAsString()), v.payload, v.trust);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Text(result.status()).starts_with("noise handshake: the server's ephemeral key: "));
}

TEST(NoiseHandshake, RefusesASealedKeyOfAnotherHandshake) {
  Sample s;
  const Bytes hello = s.server.Answer(s.client.ClientHello(), AsBytes("chain"));
  NoiseHandshake other(FixedPair(30), FixedPair(21));
  const auto result = other.ReadServerHello(hello, {}, s.trust);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(Text(result.status()).starts_with("noise handshake: the server's static key: noise cipher: message 0"));
}

TEST(NoiseHandshake, RefusesAServerWithoutTheRightCertificate) {
  testing::ChainSpec spec;
  spec.root = FixedPair(8);
  EXPECT_EQ(Sample().Run(MakeChain(spec).SerializeAsString()).status().code(), absl::StatusCode::kPermissionDenied);
  spec = {};
  spec.leaf_key = ToBytes(ByteView(FixedPair(7).public_key));
  EXPECT_EQ(Sample().Run(MakeChain(spec).SerializeAsString()).status().code(), absl::StatusCode::kPermissionDenied);
  spec = {};
  spec.leaf_not_after = 2'999;
  EXPECT_EQ(Sample().Run(MakeChain(spec).SerializeAsString()).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Sample().Run("no chain").status().code(), absl::StatusCode::kInvalidArgument);
  Sample lenient;
  lenient.trust.ignore_dates = true;
  const auto result = lenient.Run(MakeChain(spec).SerializeAsString());
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->dates.code(), absl::StatusCode::kFailedPrecondition);
}

TEST(NoiseHandshake, SkipsFieldsThatItDoesNotKnow) {
  Vector v;
  Bytes hello = v.server_hello;
  hello.insert(hello.end(), {0x7A, 2, 1, 2});  // field 15
  EXPECT_TRUE(v.client.ReadServerHello(hello, v.payload, v.trust).ok());
}

TEST(NoiseHandshake, TakesOneServerHello) {
  Vector v;
  ASSERT_TRUE(v.client.ReadServerHello(v.server_hello, v.payload, v.trust).ok());
  EXPECT_EQ(v.client.ReadServerHello(v.server_hello, v.payload, v.trust).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace medidesk::gateway::wa
