#include "gateway/wa/frame_codec.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/status.h"
#include "gateway/wa/token_dictionary.h"

namespace medidesk::gateway::wa {
namespace {

Bytes Stream() {
  Bytes stream;
  EXPECT_TRUE(AppendFrame(Bytes{1}, stream).ok());
  EXPECT_TRUE(AppendFrame(Bytes(300, 2), stream).ok());
  EXPECT_TRUE(AppendFrame(Bytes{3, 4, 5}, stream).ok());
  return stream;
}

const std::vector<Bytes> kPayloads = {Bytes{1}, Bytes(300, 2), Bytes{3, 4, 5}};

std::vector<Bytes> Drain(FrameDecoder& decoder) {
  std::vector<Bytes> frames;
  while (true) {
    auto frame = decoder.Next();
    EXPECT_TRUE(frame.ok()) << frame.status();
    if (!frame.ok() || !*frame) return frames;
    frames.push_back(**std::move(frame));
  }
}

TEST(ConnectionHeader, NamesTheDictionarysVersion) {
  EXPECT_EQ(kConnectionHeader[3], kDictionaryVersion);
  EXPECT_EQ(ConnectionHeader({}), (Bytes{0x57, 0x41, 6, 3}));
}

TEST(ConnectionHeader, PutsRoutingInfoFirst) {
  EXPECT_EQ(ConnectionHeader(Bytes{8, 2, 8, 12}), (Bytes{0x45, 0x44, 0, 1, 0, 0, 4, 8, 2, 8, 12, 0x57, 0x41, 6, 3}));
  EXPECT_EQ(ConnectionHeader(Bytes(kMaxFramePayload + 1)), ConnectionHeader({}));
}

TEST(AppendFrame, RefusesWhatTheLengthCannotSay) {
  Bytes out = {9};
  EXPECT_EQ(AppendFrame({}, out).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(AppendFrameHeader(kMaxFramePayload + 1, out).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(out, Bytes{9});
  EXPECT_TRUE(AppendFrameHeader(kMaxFramePayload, out).ok());
  EXPECT_EQ(out, (Bytes{9, 255, 255, 255}));
}

TEST(FrameDecoder, FindsSeveralFramesInOnePiece) {
  FrameDecoder decoder;
  decoder.Feed(Stream());
  EXPECT_EQ(Drain(decoder), kPayloads);
  EXPECT_EQ(decoder.buffered(), 0u);
}

TEST(FrameDecoder, FindsTheSameFramesHoweverTheStreamIsCut) {
  const Bytes stream = Stream();
  for (std::size_t size = 1; size <= 7; ++size) {
    FrameDecoder decoder;
    std::vector<Bytes> frames;
    for (std::size_t at = 0; at < stream.size(); at += size) {
      decoder.Feed(ByteView(stream).subspan(at, std::min(size, stream.size() - at)));
      for (Bytes& frame : Drain(decoder)) frames.push_back(std::move(frame));
    }
    EXPECT_EQ(frames, kPayloads) << "pieces of " << size;
  }
}

TEST(FrameDecoder, WaitsInsideEveryPrefixOfAFrame) {
  Bytes whole;
  ASSERT_TRUE(AppendFrame(Bytes{1, 2, 3}, whole).ok());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    FrameDecoder decoder;
    decoder.Feed({whole.data(), size});
    const auto frame = decoder.Next();
    ASSERT_TRUE(frame.ok());
    EXPECT_FALSE(frame->has_value()) << "prefix of " << size;
  }
}

TEST(FrameDecoder, StaysBrokenAfterAnEmptyFrame) {
  FrameDecoder decoder;
  decoder.Feed(Bytes{0, 0, 1, 7, 0, 0, 0});
  EXPECT_EQ(**decoder.Next(), Bytes{7});
  EXPECT_EQ(Text(decoder.Next().status()), "frame codec: an empty frame at byte 4");
  decoder.Feed(Bytes{0, 0, 1, 7});
  EXPECT_EQ(decoder.Next().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(decoder.buffered(), 0u);
}

TEST(FrameDecoder, RefusesAFrameAboveItsLimitBeforeItsBytesCame) {
  FrameDecoder decoder(/*max_payload=*/10);
  decoder.Feed(Bytes{0, 0, 11});
  EXPECT_EQ(decoder.Next().status().code(), absl::StatusCode::kResourceExhausted);
  FrameDecoder exact(/*max_payload=*/1);
  exact.Feed(Bytes{0, 0, 1, 7});
  EXPECT_EQ(**exact.Next(), Bytes{7});
}

}  // namespace
}  // namespace medidesk::gateway::wa
