#include "gateway/wa/noise_transport.h"

#include <gtest/gtest.h>

#include "gateway/wa/frame_codec.h"
#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa {
namespace {

using testing::Hex;
using testing::HexMember;
using testing::KeyMember;
using testing::ReadVectors;

const Key32 kOurs = {1};
const Key32 kTheirs = {2};

Bytes PayloadOf(const Bytes& frame) {
  FrameDecoder decoder;
  decoder.Feed(frame);
  return **decoder.Next();
}

TEST(NoiseTransport, MakesAndReadsTheFramesOfTheVector) {
  const auto file = ReadVectors("noise.json");
  const Key32 write_key = KeyMember(file.at("final"), "client_write_key");
  const Key32 read_key = KeyMember(file.at("final"), "client_read_key");
  NoiseTransport client(write_key, read_key);
  NoiseTransport server(read_key, write_key);
  int frames = 0;
  for (const auto& frame : file.at("transport").as_array()) {
    const bool from_client = testing::Text(frame, "dir") == "c2s";
    const Bytes plaintext = HexMember(frame, "plaintext");
    Bytes wire;
    ASSERT_TRUE((from_client ? client : server).SealFrame(plaintext, wire).ok());
    EXPECT_EQ(Hex(wire), Hex(HexMember(frame, "wire")));
    EXPECT_EQ(*(from_client ? server : client).OpenFrame(PayloadOf(HexMember(frame, "wire"))), plaintext);
    ++frames;
  }
  EXPECT_EQ(frames, 4);
}

TEST(NoiseTransport, StaysBrokenAfterAFrameThatDoesNotAuthenticate) {
  NoiseTransport client(kOurs, kTheirs);
  NoiseTransport server(kTheirs, kOurs);
  Bytes wire;
  ASSERT_TRUE(server.SealFrame(Bytes{1, 2}, wire).ok());
  const Bytes payload = PayloadOf(wire);
  Bytes changed = payload;
  changed[0] ^= 1;
  EXPECT_EQ(client.OpenFrame(changed).status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(client.OpenFrame(payload).status().code(), absl::StatusCode::kUnauthenticated);
}

TEST(NoiseTransport, RefusesAFrameShorterThanItsTag) {
  NoiseTransport client(kOurs, kTheirs);
  EXPECT_EQ(client.OpenFrame(Bytes(15)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(NoiseTransport, RefusesWhatFitsIntoNoFrame) {
  NoiseTransport client(kOurs, kTheirs);
  Bytes out = {7};
  EXPECT_EQ(client.SealFrame(Bytes(kMaxFramePayload - kNoiseTagSize + 1), out).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(out, Bytes{7});
  // It cost no counter: the peer reads what comes next.
  ASSERT_TRUE(client.SealFrame(Bytes{5}, out).ok());
  out.erase(out.begin());
  EXPECT_EQ(*NoiseTransport(kTheirs, kOurs).OpenFrame(PayloadOf(out)), Bytes{5});
}

}  // namespace
}  // namespace medidesk::gateway::wa
